// The package has no types.
declare module 'fs-native-extensions' {
  /**
   * Locks a range of a file for its open descriptor, until the descriptor is closed or its process ends.
   *
   * @returns false if another descriptor holds the lock.
   */
  export function tryLock(fd: number, offset?: number, length?: number): boolean;
}
