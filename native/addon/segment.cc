#include "addon/segment.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/mask.h"
#include "addon/mask_batch.h"
#include "addon/model.h"
#include "addon/read.h"
#include "addon/register.h"
#include "infer/segment.h"
#include "infer/segment_tiles.h"
#include "io/intensity.h"

namespace cellroute::addon {

namespace {

/** Maximum number of pixels of a batch on a GPU: eight images of the Sartorius set's size. On the
 *  CPU a batch is not faster than its images one by one (bench/queue.mjs, small-images). */
constexpr double kGpuBatchPixels = 8 * 704.0 * 520.0;

infer::SegmentOptions read_segment_options(const Napi::Value& value) {
  const Fields fields(value, "options");
  infer::SegmentOptions options{.intensity = read_intensity(fields.value("intensity")),
                                .detect = read_detect_options(fields),
                                .mask_threshold = fields.number("maskThreshold"),
                                .min_area = static_cast<uint32_t>(fields.integer("minArea")),
                                .max_lost = std::nullopt,
                                .profile = fields.flag("profile")};
  if (fields.has("maxLost")) options.max_lost = fields.number("maxLost");
  return options;
}

Napi::Value profile_to_js(Napi::Env env, const Profile& profile) {
  auto seconds = Napi::Object::New(env);
  for (const auto& [stage, time] : profile.seconds()) {
    seconds.Set(stage, Napi::Number::New(env, time));
  }
  return seconds;
}

Napi::Object cells_to_js(Napi::Env env, const infer::Cells& cells, int64_t height, int64_t width) {
  auto result = Napi::Object::New(env);
  result.Set("boxes", to_typed_array(env, cells.boxes));
  result.Set("scores", to_typed_array(env, cells.scores));
  result.Set("labels", to_typed_array(env, cells.labels));
  result.Set("areas", to_typed_array(env, cells.areas));
  result.Set("masks", batch_to_js(env, cells.masks, static_cast<uint32_t>(height),
                                  static_cast<uint32_t>(width)));
  result.Set("detectionsCapped", Napi::Boolean::New(env, cells.detections_capped));
  result.Set("proposalsCapped", Napi::Boolean::New(env, cells.proposals_capped));
  if (!cells.profile.seconds().empty()) result.Set("profile", profile_to_js(env, cells.profile));
  return result;
}

class SegmentJob final : public DeliveredJob {
 public:
  SegmentJob(std::shared_ptr<CancelFlag> cancel, std::shared_ptr<LoadedModel> model,
             std::shared_ptr<const io::Image> image, infer::SegmentOptions options)
      : DeliveredJob(std::move(cancel)),
        model_(std::move(model)),
        image_(std::move(image)),
        options_(options) {}

  bool can_share_batch(const Job& other) const override {
    if (model_->device.is_cpu()) return false;
    const auto* job = dynamic_cast<const SegmentJob*>(&other);
    return job != nullptr && job->model_ == model_ && job->image_->width == image_->width &&
           job->image_->height == image_->height && job->options_ == options_;
  }

  double batch_share() const override {
    return static_cast<double>(image_->width) * static_cast<double>(image_->height) /
           kGpuBatchPixels;
  }

  void prepare() override {
    if (std::exchange(prepared_, true)) return;
    ahead_ = infer::prefetch_to_device(*image_, options_.intensity, model_->device);
  }
  void drop_prepared() noexcept override { ahead_.reset(); }

  void run(const std::vector<std::shared_ptr<Job>>& batch) override {
    std::vector<SegmentJob*> jobs;
    std::vector<infer::Input> images;
    for (const auto& job : batch) {
      jobs.push_back(static_cast<SegmentJob*>(job.get()));
      images.push_back({jobs.back()->image_.get(), std::move(jobs.back()->ahead_)});
    }
    auto found = infer::segment(model_->plan(), std::move(images), options_, group_poll(jobs));
    for (size_t i = 0; i < jobs.size(); ++i) jobs[i]->cells_ = std::move(found[i]);
  }

  Napi::Value convert(Napi::Env env) override {
    return cells_to_js(env, cells_, image_->height, image_->width);
  }

 private:
  /** Reports progress to each call of the batch. The engine stops a batch when all calls are
   *  cancelled. */
  static JobContext group_poll(const std::vector<SegmentJob*>& jobs) {
    if (jobs.size() == 1) return jobs.front()->poll();
    std::vector<JobContext> polls;
    polls.reserve(jobs.size());
    for (auto* job : jobs) polls.push_back(job->poll());
    return JobContext(nullptr, [polls = std::move(polls)](const char* stage, double fraction) {
      for (const auto& poll : polls) {
        try {
          poll(stage, fraction);
        } catch (const Cancelled&) {
          continue;  // the others still want their results
        }
      }
    });
  }

  std::shared_ptr<LoadedModel> model_;
  std::shared_ptr<const io::Image> image_;
  infer::SegmentOptions options_;
  std::unique_ptr<cuda::StagedInput> ahead_;  // the image, if its copy to a GPU was started early
  bool prepared_ = false;                     // whether that was tried
  infer::Cells cells_;
};

Napi::Value segment(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[3]);
    auto job = std::make_shared<SegmentJob>(call.cancel, Handle<LoadedModel>::get(env, info[0]),
                                            shared_image(info[1]), read_segment_options(info[2]));
    return DeliveredJob::submit(env, call, std::move(job));
  });
}

infer::TileGrid read_grid(const LoadedModel& model, const Napi::Value& value) {
  const Fields fields(value, "grid");
  const auto tiling = fields.object("tiling");
  const int64_t width = fields.integer("width"), height = fields.integer("height");
  mask::checked_pixels(static_cast<uint64_t>(height), static_cast<uint64_t>(width));
  return {model.mask_rcnn->config(), width, height,
          infer::Tiling{.scale = tiling.number("scale"),
                        .size = tiling.integer("size"),
                        .overlap = tiling.integer("overlap")}};
}

std::vector<uint32_t> needed_pixels(const infer::TileAxis& axis) {
  std::vector<uint32_t> pairs;
  for (size_t i = 0; i < axis.tiles().size(); ++i) {
    pairs.push_back(axis.needed_begin(i));
    pairs.push_back(axis.needed_size(i));
  }
  return pairs;
}

Napi::Value plan_tiles(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto grid = read_grid(*Handle<LoadedModel>::get(env, info[0]), info[1]);
    auto result = Napi::Object::New(env);
    result.Set("columns", to_typed_array(env, needed_pixels(grid.across)));
    result.Set("rows", to_typed_array(env, needed_pixels(grid.down)));
    result.Set("seamsX", to_typed_array(env, grid.across.seams()));
    result.Set("seamsY", to_typed_array(env, grid.down.seams()));
    return result;
  });
}

Napi::Value measure_range(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[2]);
    using Range = std::optional<io::IntensityRange>;
    return submit<Range>(
        env, call,
        [image = shared_image(info[0]),
         intensity = read_intensity(info[1])](const JobContext& poll) {
          poll("intensities", 0);
          const StageScope stage("intensity");
          return io::measure_range(*image, intensity);
        },
        [](Napi::Env js, Range& range) -> Napi::Value {
          if (!range) return js.Null();
          auto result = Napi::Object::New(js);
          result.Set("low", Napi::Number::New(js, range->low));
          result.Set("high", Napi::Number::New(js, range->high));
          return result;
        });
  });
}

std::optional<io::IntensityRange> read_range(const Napi::Value& value) {
  if (value.IsNull()) return std::nullopt;
  const Fields fields(value, "range");
  return io::IntensityRange{.low = static_cast<float>(fields.number("low")),
                            .high = static_cast<float>(fields.number("high"))};
}

Napi::Object tile_detections_to_js(Napi::Env env,
                                   const std::vector<infer::TileDetection>& detections,
                                   const infer::TileGrid& grid) {
  std::vector<float> boxes, scores;
  std::vector<int32_t> labels;
  std::vector<uint32_t> tiles, owners;
  std::vector<uint8_t> cut;
  std::vector<mask::Rle> masks;
  for (const auto& one : detections) {
    boxes.insert(boxes.end(), one.box.begin(), one.box.end());
    scores.push_back(one.score);
    labels.push_back(one.label);
    tiles.push_back(one.tile);
    owners.push_back(one.owner);
    cut.push_back(one.cut ? 1 : 0);
    masks.push_back(one.mask);
  }
  auto result = Napi::Object::New(env);
  result.Set("boxes", to_typed_array(env, boxes));
  result.Set("scores", to_typed_array(env, scores));
  result.Set("labels", to_typed_array(env, labels));
  result.Set("tiles", to_typed_array(env, tiles));
  result.Set("owners", to_typed_array(env, owners));
  result.Set("cut", to_typed_array(env, cut));
  result.Set("masks", batch_to_js(env, masks, static_cast<uint32_t>(grid.height),
                                  static_cast<uint32_t>(grid.width)));
  return result;
}

/** Detections of tiles may come from a file: every length and index is checked. */
void append_tile_detections(std::vector<infer::TileDetection>& detections, const Napi::Value& value,
                            const infer::TileGrid& grid) {
  const auto object = value.As<Napi::Object>();
  const auto scores = typed_array<float>(object.Get("scores"), "scores");
  const size_t count = scores.size();
  const auto part = [&]<typename T>(const char* name, size_t per_cell, T) {
    const auto values = typed_array<T>(object.Get(name), name);
    if (values.size() != per_cell * count) {
      throw Error("INVALID_ARGUMENT", std::string(name) + " has not one entry per detection");
    }
    return values;
  };
  const auto boxes = part("boxes", 4, float{});
  const auto labels = part("labels", 1, int32_t{});
  const auto tiles = part("tiles", 1, uint32_t{});
  const auto owners = part("owners", 1, uint32_t{});
  const auto cut = part("cut", 1, uint8_t{});
  auto masks = copy_batch(object.Get("masks"));
  if (masks.size() != count) {
    throw Error("INVALID_ARGUMENT", "masks has not one entry per detection");
  }
  for (size_t i = 0; i < count; ++i) {
    if (tiles[i] >= grid.count() || owners[i] >= grid.count() || masks[i].height != grid.height ||
        masks[i].width != grid.width) {
      throw Error("INVALID_ARGUMENT", "A detection is of another image or tiling");
    }
    detections.push_back(
        {.box = {boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]},
         .score = scores[i],
         .label = labels[i],
         .mask = std::move(masks[i]),
         .tile = tiles[i],
         .cut = cut[i] != 0,
         .owner = owners[i]});
  }
}

Napi::Value segment_tile(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[6]);
    auto model = Handle<LoadedModel>::get(env, info[0]);
    const auto grid = read_grid(*model, info[3]);
    const Fields fields(info[4], "place");
    const infer::TilePlace place{.index = static_cast<uint32_t>(fields.integer("index")),
                                 .x = fields.integer("x"),
                                 .y = fields.integer("y")};
    return submit<infer::TileResult>(
        env, call,
        [model = std::move(model), image = shared_image(info[1]),
         options = read_segment_options(info[2]), grid, place,
         range = read_range(info[5])](const JobContext& poll) {
          return infer::segment_tile(model->plan(), *image, grid, place, range, options, poll);
        },
        [grid](Napi::Env js, infer::TileResult& found) {
          auto result = tile_detections_to_js(js, found.detections, grid);
          result.Set("detectionsCapped", Napi::Boolean::New(js, found.detections_capped));
          result.Set("proposalsCapped", Napi::Boolean::New(js, found.proposals_capped));
          if (!found.profile.seconds().empty()) {
            result.Set("profile", profile_to_js(js, found.profile));
          }
          return result;
        });
  });
}

infer::StitchOptions read_stitch_options(const Napi::Value& value) {
  const Fields fields(value, "options");
  infer::StitchOptions options{.min_area = static_cast<uint32_t>(fields.integer("minArea")),
                               .max_lost = std::nullopt,
                               .limit = std::nullopt,
                               .next_row = std::nullopt,
                               .profile = fields.flag("profile")};
  if (fields.has("maxLost")) options.max_lost = fields.number("maxLost");
  if (fields.has("limit")) options.limit = fields.integer("limit");
  if (fields.has("nextRow")) options.next_row = static_cast<size_t>(fields.integer("nextRow"));
  return options;
}

Napi::Value stitch_tiles(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[4]);
    const auto grid = read_grid(*Handle<LoadedModel>::get(env, info[0]), info[1]);
    std::vector<infer::TileDetection> detections;
    const auto parts = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < parts.Length(); ++i)
      append_tile_detections(detections, parts.Get(i), grid);
    return submit<infer::StitchedCells>(
        env, call,
        [detections = std::move(detections), grid,
         options = read_stitch_options(info[3])](const JobContext& poll) mutable {
          return infer::stitch_tiles(std::move(detections), grid, options, poll);
        },
        [grid](Napi::Env js, infer::StitchedCells& found) {
          auto result = cells_to_js(js, found.cells, grid.height, grid.width);
          result.Set("onSeam", to_typed_array(js, found.on_seam));
          result.Set("open", to_typed_array(js, found.open));
          return result;
        });
  });
}

}  // namespace

model::DetectOptions read_detect_options(const Fields& fields) {
  model::DetectOptions options{.score_threshold = fields.number("scoreThreshold"),
                               .nms_threshold = fields.number("nmsThreshold"),
                               .detections_per_image = fields.integer("detectionsPerImage"),
                               .rpn_pre_nms_top_n = fields.integer("rpnPreNmsTopN"),
                               .rpn_post_nms_top_n = fields.integer("rpnPostNmsTopN"),
                               .rpn_nms_threshold = fields.number("rpnNmsThreshold"),
                               .rpn_score_threshold = fields.number("rpnScoreThreshold")};
  if (fields.has("scale")) options.scale = fields.number("scale");
  return options;
}

void register_segment(Napi::Env env, Napi::Object exports) {
  exports.Set("segment", Napi::Function::New(env, segment));
  exports.Set("planTiles", Napi::Function::New(env, plan_tiles));
  exports.Set("measureRange", Napi::Function::New(env, measure_range));
  exports.Set("segmentTile", Napi::Function::New(env, segment_tile));
  exports.Set("stitchTiles", Napi::Function::New(env, stitch_tiles));
}

}  // namespace cellroute::addon
