#include "model/keys.h"

#include <array>
#include <regex>

namespace cellroute::model {

std::string modern_key(const std::string& key) {
  static const std::regex kFpn(R"((^|.*\.)(inner_blocks|layer_blocks)\.(\d+)\.(weight|bias))");
  static const std::regex kRpn(R"((^|.*\.)head\.conv\.(weight|bias))");
  static const std::regex kMask(R"((^|.*\.)mask_fcn([1-9]\d{0,3})\.(weight|bias))");
  std::smatch match;
  if (std::regex_match(key, match, kFpn)) {
    return match.str(1) + match.str(2) + "." + match.str(3) + ".0." + match.str(4);
  }
  if (std::regex_match(key, match, kRpn)) return match.str(1) + "head.conv.0.0." + match.str(2);
  if (std::regex_match(key, match, kMask)) {
    // The old names count from 1.
    return match.str(1) + std::to_string(std::stoi(match.str(2)) - 1) + ".0." + match.str(3);
  }
  return key;
}

std::string fastai_key(const std::string& key) {
  // A torchvision ResNet cut before its pooling: ReLU and max pool have no tensors.
  static const std::array<const char*, 8> kBody{"conv1",  "bn1",    "",       "",
                                                "layer1", "layer2", "layer3", "layer4"};
  if (key.rfind("1.", 0) == 0) return "head." + key.substr(2);
  if (key.rfind("0.", 0) == 0 && key.size() > 4 && key[3] == '.' && key[2] >= '0' &&
      key[2] <= '7' && *kBody[key[2] - '0'] != '\0') {
    return kBody[key[2] - '0'] + key.substr(3);
  }
  return key;
}

}  // namespace cellroute::model
