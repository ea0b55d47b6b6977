/** Files of LibTorch that are needed at run time, in the order in which they are opened; with CUDA, its libraries too. */
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

/** A library that only a LibTorch with CUDA has. */
export const CUDA_LIBRARY = 'libtorch_cuda.so';
