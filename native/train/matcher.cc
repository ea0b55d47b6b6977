#include "train/matcher.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "engine/parallel.h"
#include "ops/boxes.h"

namespace cellroute::train {
namespace {

/** Candidates per tile. Neighbours in a list of anchors are neighbours in the image, so most
 *  ground-truth cells are far from a tile and are skipped. */
constexpr int64_t kTile = 256;

template <typename Visit>
void for_each_tile(int64_t candidates, Visit visit) {
  const int64_t tiles = (candidates + kTile - 1) / kTile;
  parallel_for(0, tiles, 1, [&](int64_t first, int64_t last) {
    visit([=](auto body) {
      for (int64_t tile = first; tile < last; ++tile) {
        body(tile * kTile, std::min((tile + 1) * kTile, candidates));
      }
    });
  });
}

/** Result of the first pass over all pairs. */
struct Best {
  std::vector<int64_t> truth_of;  // cell of each candidate
  std::vector<float> quality;     // quality of that match
  std::vector<float> of_truth;    // highest quality of each cell with any candidate
};

Best find_best(int64_t truths, int64_t candidates, const MatchQuality& quality) {
  Best best{std::vector<int64_t>(candidates), std::vector<float>(candidates),
            std::vector<float>(truths)};
  std::mutex mutex;
  for_each_tile(candidates, [&](auto tiles) {
    std::vector<float> of_truth(truths);
    std::array<float, kTile> row;
    tiles([&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < truths; ++t) {
        if (!quality(t, begin, end, row.data())) continue;
        float highest = of_truth[t];
        for (int64_t i = begin; i < end; ++i) {
          const float q = row[i - begin];
          highest = std::max(highest, q);
          if (q > best.quality[i]) {
            best.quality[i] = q;
            best.truth_of[i] = t;
          }
        }
        of_truth[t] = highest;
      }
    });
    const std::lock_guard lock(mutex);
    for (int64_t t = 0; t < truths; ++t) {
      best.of_truth[t] = std::max(best.of_truth[t], of_truth[t]);
    }
  });
  return best;
}

/** Matches the candidates that are the best of some cell, at any quality. */
void add_low_quality(const Best& best, int64_t candidates, const MatchQuality& quality,
                     int64_t* matches) {
  const auto truths = static_cast<int64_t>(best.of_truth.size());
  for_each_tile(candidates, [&](auto tiles) {
    std::array<float, kTile> row;
    tiles([&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < truths; ++t) {
        if (!quality(t, begin, end, row.data())) row.fill(0);
        for (int64_t i = begin; i < end; ++i) {
          if (row[i - begin] == best.of_truth[t]) matches[i] = best.truth_of[i];
        }
      }
    });
  });
}

/** Boxes as columns, so that the inner loop reads contiguous memory. */
struct Columns {
  explicit Columns(const torch::Tensor& boxes) {
    const auto size = static_cast<size_t>(boxes.size(0));
    const auto contiguous = boxes.contiguous();
    const float* box = contiguous.const_data_ptr<float>();
    for (auto* column : {&x1, &y1, &x2, &y2, &area}) column->resize(size);
    for (size_t i = 0; i < size; ++i, box += 4) {
      x1[i] = box[0];
      y1[i] = box[1];
      x2[i] = box[2];
      y2[i] = box[3];
      area[i] = (box[2] - box[0]) * (box[3] - box[1]);
    }
  }

  std::vector<float> x1, y1, x2, y2, area;
};

class BoxQuality {
 public:
  BoxQuality(const torch::Tensor& truths, const torch::Tensor& candidates)
      : truths_(truths), candidates_(candidates) {
    const auto& c = candidates_;
    for (size_t begin = 0; begin < c.x1.size(); begin += kTile) {
      const auto end = std::min<size_t>(begin + kTile, c.x1.size());
      const auto least = [&](const std::vector<float>& side) {
        return *std::min_element(side.data() + begin, side.data() + end);
      };
      const auto most = [&](const std::vector<float>& side) {
        return *std::max_element(side.data() + begin, side.data() + end);
      };
      extents_.push_back({least(c.x1), least(c.y1), most(c.x2), most(c.y2)});
    }
  }

  bool operator()(int64_t truth, int64_t begin, int64_t end, float* quality) const {
    const float x1 = truths_.x1[truth], y1 = truths_.y1[truth];
    const float x2 = truths_.x2[truth], y2 = truths_.y2[truth], area = truths_.area[truth];
    const auto& extent = extents_[begin / kTile];
    if (x1 >= extent[2] || y1 >= extent[3] || x2 <= extent[0] || y2 <= extent[1]) return false;
    const auto& c = candidates_;
    for (int64_t i = begin; i < end; ++i) {
      // Equal to torchvision's box_iou to the last bit.
      const float w = std::max(std::min(x2, c.x2[i]) - std::max(x1, c.x1[i]), 0.0F);
      const float h = std::max(std::min(y2, c.y2[i]) - std::max(y1, c.y1[i]), 0.0F);
      const float intersection = w * h;
      quality[i - begin] = intersection / (area + c.area[i] - intersection);
    }
    return true;
  }

 private:
  Columns truths_, candidates_;
  std::vector<std::array<float, 4>> extents_;  // of each tile
};

}  // namespace

torch::Tensor match(int64_t truths, int64_t candidates, const MatchQuality& quality,
                    const MatchOptions& options) {
  TORCH_CHECK(truths > 0, "matching needs a truth");
  TORCH_CHECK(options.low_threshold <= options.high_threshold,
              "matching: the low threshold is above the high one: ", options.low_threshold, " and ",
              options.high_threshold);
  const auto best = find_best(truths, candidates, quality);
  auto result = torch::empty({candidates}, torch::kInt64);
  auto* matches = result.mutable_data_ptr<int64_t>();
  // In float, because torch compares a float32 tensor with a number in float32.
  const auto high = static_cast<float>(options.high_threshold);
  const auto low = static_cast<float>(options.low_threshold);
  for (int64_t i = 0; i < candidates; ++i) {
    matches[i] = best.quality[i] < low    ? kBelowLowThreshold
                 : best.quality[i] < high ? kBetweenThresholds
                                          : best.truth_of[i];
  }
  if (options.allow_low_quality_matches) add_low_quality(best, candidates, quality, matches);
  return result;
}

namespace {

/** match() with the IoUs of all pairs, on a GPU: ground truth [M, 4], candidates [N, 4]. */
torch::Tensor match_on_gpu(const torch::Tensor& truths, const torch::Tensor& candidates,
                           const MatchOptions& options) {
  // In parts: all pairs of a crowded image would not fit into memory.
  constexpr int64_t kPairs = int64_t{1} << 27;
  const int64_t chunk = std::max<int64_t>(1, kPairs / truths.size(0));
  const auto parts = candidates.split(chunk);
  torch::Tensor of_truth;
  if (options.allow_low_quality_matches) {
    for (const auto& part : parts) {
      const auto highest = ops::box_iou(truths, part).amax(1, /*keepdim=*/true);
      of_truth = of_truth.defined() ? torch::max(of_truth, highest) : highest;
    }
  }
  std::vector<torch::Tensor> matches;
  for (const auto& part : parts) {
    const auto iou = ops::box_iou(truths, part);
    const auto [quality, truth_of] = iou.max(0);
    auto some = truth_of.clone();
    some.masked_fill_(quality < options.high_threshold, kBetweenThresholds);
    some.masked_fill_(quality < options.low_threshold, kBelowLowThreshold);
    if (of_truth.defined()) some = torch::where((iou == of_truth).any(0), truth_of, some);
    matches.push_back(some);
  }
  return torch::cat(matches);
}

}  // namespace

torch::Tensor match_boxes(const torch::Tensor& truths, const torch::Tensor& candidates,
                          const MatchOptions& options) {
  for (const auto& boxes : {truths, candidates}) {
    TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4 && boxes.scalar_type() == torch::kFloat32,
                "match_boxes: boxes must be float32 [N, 4], got ", boxes.scalar_type(), " ",
                boxes.sizes());
  }
  if (candidates.is_cuda()) return match_on_gpu(truths, candidates, options);
  return match(truths.size(0), candidates.size(0), BoxQuality(truths, candidates), options);
}

}  // namespace cellroute::train
