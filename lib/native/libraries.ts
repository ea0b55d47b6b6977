/** The files of LibTorch that a process needs at run time, in the order they are opened; with CUDA, those too. */
export function runtimeLibraries(platform: NodeJS.Platform = process.platform, cuda = false): string[] {
  if (platform === 'win32') return ['libiomp5md.dll', 'uv.dll', 'c10.dll', 'torch_cpu.dll', 'torch.dll'];
  if (platform === 'darwin') return ['libomp.dylib', 'libc10.dylib', 'libtorch_cpu.dylib', 'libtorch.dylib'];
  if (cuda)
    return [
      'libgomp.so.1',
      'libc10.so',
      'libtorch_cpu.so',
      'libc10_cuda.so',
      'libtorch_cuda.so',
      'libtorch.so',
    ];
  return ['libgomp.so.1', 'libc10.so', 'libtorch_cpu.so', 'libtorch.so'];
}

/** What a LibTorch with CUDA has, and one without has not. */
export const CUDA_LIBRARY = 'libtorch_cuda.so';
