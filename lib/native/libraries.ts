/** The files of LibTorch that a process needs at run time, in the order they are opened. */
export function runtimeLibraries(platform: NodeJS.Platform = process.platform): string[] {
  if (platform === 'win32') return ['libiomp5md.dll', 'uv.dll', 'c10.dll', 'torch_cpu.dll', 'torch.dll'];
  if (platform === 'darwin') return ['libomp.dylib', 'libc10.dylib', 'libtorch_cpu.dylib', 'libtorch.dylib'];
  return ['libgomp.so.1', 'libc10.so', 'libtorch_cpu.so', 'libtorch.so'];
}
