#include "ops/cpu/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const TileTransforms<float> kAvx512Tiles{input_tiles<Float32Points>, output_tiles<Float32Points>};

const TileTransforms<Bfloat16Bits> kAvx512Bfloat16Tiles{input_tiles<Bfloat16Points>,
                                                        output_tiles<Bfloat16Points>};

}  // namespace cellroute::ops::cpu
