// The part of Electron that electron-main.mjs uses, so that it can be type-checked without installing Electron.
declare module 'electron' {
  export const app: {
    on(event: 'will-quit', listener: () => void): void;
    whenReady(): Promise<void>;
  };
  export class BrowserWindow {
    constructor(options: { width: number; height: number });
    loadFile(path: string): Promise<void>;
  }
  export const dialog: { showErrorBox(title: string, content: string): void };
  export const ipcMain: {
    handle(channel: string, listener: (event: unknown, ...args: never[]) => unknown): void;
  };
}
