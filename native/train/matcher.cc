#include "train/matcher.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "engine/parallel.h"
#include "ops/boxes.h"
#include "round_up.h"

namespace cellroute::train {
namespace {

/** Candidates per tile. Neighbours in a list of anchors are neighbours in the image, so most
 *  ground-truth cells are far from a tile and are skipped. */
constexpr int64_t kTile = 256;

template <typename Visit>
void for_each_tile(int64_t candidates, Visit visit) {
  const int64_t tiles = divide_up(candidates, kTile);
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
  std::vector<int64_t> matched_cell;  // of each candidate
  std::vector<float> quality;         // of that match
  std::vector<float> best_of_cell;    // highest quality of each cell
};

Best find_best(int64_t ground_truths, int64_t candidates, const MatchQuality& quality) {
  Best best{std::vector<int64_t>(candidates), std::vector<float>(candidates),
            std::vector<float>(ground_truths)};
  std::mutex mutex;
  for_each_tile(candidates, [&](auto tiles) {
    std::vector<float> best_of_cell(ground_truths);
    std::array<float, kTile> row;
    tiles([&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < ground_truths; ++t) {
        if (!quality(t, begin, end, row.data())) continue;
        float highest = best_of_cell[t];
        for (int64_t i = begin; i < end; ++i) {
          const float q = row[i - begin];
          highest = std::max(highest, q);
          if (q > best.quality[i]) {
            best.quality[i] = q;
            best.matched_cell[i] = t;
          }
        }
        best_of_cell[t] = highest;
      }
    });
    const std::lock_guard lock(mutex);
    for (int64_t t = 0; t < ground_truths; ++t) {
      best.best_of_cell[t] = std::max(best.best_of_cell[t], best_of_cell[t]);
    }
  });
  return best;
}

/** Matches the candidates that are the best of some cell, at any quality. */
void add_low_quality(const Best& best, int64_t candidates, const MatchQuality& quality,
                     int64_t* matches) {
  const auto ground_truths = static_cast<int64_t>(best.best_of_cell.size());
  for_each_tile(candidates, [&](auto tiles) {
    std::array<float, kTile> row;
    tiles([&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < ground_truths; ++t) {
        if (!quality(t, begin, end, row.data())) row.fill(0);
        for (int64_t i = begin; i < end; ++i) {
          if (row[i - begin] == best.best_of_cell[t]) matches[i] = best.matched_cell[i];
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
  BoxQuality(const torch::Tensor& ground_truths, const torch::Tensor& candidates)
      : ground_truths_(ground_truths), candidates_(candidates) {
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

  bool operator()(int64_t ground_truth, int64_t begin, int64_t end, float* quality) const {
    const float x1 = ground_truths_.x1[ground_truth], y1 = ground_truths_.y1[ground_truth];
    const float x2 = ground_truths_.x2[ground_truth], y2 = ground_truths_.y2[ground_truth],
                area = ground_truths_.area[ground_truth];
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
  Columns ground_truths_, candidates_;
  std::vector<std::array<float, 4>> extents_;  // of each tile
};

}  // namespace

torch::Tensor match(int64_t ground_truths, int64_t candidates, const MatchQuality& quality,
                    const MatchOptions& options) {
  TORCH_CHECK(ground_truths > 0, "matching needs at least one ground-truth cell");
  TORCH_CHECK(options.low_threshold <= options.high_threshold,
              "matching: the low threshold is above the high one: ", options.low_threshold, " and ",
              options.high_threshold);
  const auto best = find_best(ground_truths, candidates, quality);
  auto result = torch::empty({candidates}, torch::kInt64);
  auto* matches = result.mutable_data_ptr<int64_t>();
  // In float, because torch compares a float32 tensor with a number in float32.
  const auto high = static_cast<float>(options.high_threshold);
  const auto low = static_cast<float>(options.low_threshold);
  for (int64_t i = 0; i < candidates; ++i) {
    matches[i] = best.quality[i] < low    ? kBelowLowThreshold
                 : best.quality[i] < high ? kBetweenThresholds
                                          : best.matched_cell[i];
  }
  if (options.allow_low_quality_matches) add_low_quality(best, candidates, quality, matches);
  return result;
}

namespace {

/** match() with the IoUs of all pairs, on a GPU: ground truth [M, 4], candidates [N, 4]. */
torch::Tensor match_on_gpu(const torch::Tensor& ground_truths, const torch::Tensor& candidates,
                           const MatchOptions& options) {
  // In parts: all pairs of a crowded image would not fit into memory.
  constexpr int64_t kPairs = int64_t{1} << 27;
  const int64_t chunk = std::max<int64_t>(1, kPairs / ground_truths.size(0));
  const auto parts = candidates.split(chunk);
  torch::Tensor best_of_cell;
  if (options.allow_low_quality_matches) {
    for (const auto& part : parts) {
      const auto highest = ops::box_iou(ground_truths, part).amax(1, /*keepdim=*/true);
      best_of_cell = best_of_cell.defined() ? torch::max(best_of_cell, highest) : highest;
    }
  }
  std::vector<torch::Tensor> matches;
  for (const auto& part : parts) {
    const auto iou = ops::box_iou(ground_truths, part);
    const auto [quality, matched_cell] = iou.max(0);
    auto some = matched_cell.clone();
    some.masked_fill_(quality < options.high_threshold, kBetweenThresholds);
    some.masked_fill_(quality < options.low_threshold, kBelowLowThreshold);
    if (best_of_cell.defined())
      some = torch::where((iou == best_of_cell).any(0), matched_cell, some);
    matches.push_back(some);
  }
  return torch::cat(matches);
}

}  // namespace

torch::Tensor match_boxes(const torch::Tensor& ground_truths, const torch::Tensor& candidates,
                          const MatchOptions& options) {
  for (const auto& boxes : {ground_truths, candidates}) {
    TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4 && boxes.scalar_type() == torch::kFloat32,
                "match_boxes: boxes must be float32 [N, 4], got ", boxes.scalar_type(), " ",
                boxes.sizes());
  }
  if (candidates.is_cuda()) return match_on_gpu(ground_truths, candidates, options);
  return match(ground_truths.size(0), candidates.size(0), BoxQuality(ground_truths, candidates),
               options);
}

}  // namespace cellroute::train
