#pragma once

#include <string>

namespace cellroute::model {

/** The current torchvision key for a tensor of an older checkpoint, as torchvision converts it
 *  on loading: fpn.inner_blocks.0.weight, rpn.head.conv.weight, mask_head.mask_fcn1.weight.
 *  Other keys are returned unchanged. */
std::string modern_key(const std::string& key);

/** Our key for a tensor of a fastai learner's Sequential(body, head): 0.4.0.conv1.weight becomes
 *  layer1.0.conv1.weight, 1.4.weight becomes head.4.weight. Other keys are returned unchanged. */
std::string fastai_key(const std::string& key);

}  // namespace cellroute::model
