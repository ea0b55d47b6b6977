#include "ops/cpu/winograd_tiles_impl.h"

namespace cellroute::ops::cpu {

const TileTransforms<float> kAvx2Tiles{input_tiles<Float32Points>, output_tiles<Float32Points>};

}  // namespace cellroute::ops::cpu
