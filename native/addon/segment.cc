#include "addon/segment.h"

#include <sstream>
#include <utility>
#include <vector>

#include "addon/arrays.h"
#include "addon/config.h"
#include "addon/errors.h"
#include "addon/image.h"
#include "addon/job.h"
#include "addon/mask.h"
#include "addon/model.h"
#include "addon/read.h"
#include "infer/segment.h"
#include "infer/segment_tiles.h"

namespace cellroute::addon {

namespace {

/** Images up to this many pixels in all share a batch on a GPU: eight of the Sartorius set's size.
 *  On the CPU a batch is not faster than its images one by one (bench/queue.mjs, small-images). */
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

  std::string batch_key() const override {
    if (model_->device.is_cpu()) return {};
    std::ostringstream key;
    const auto& detect = options_.detect;
    key << std::hexfloat << model_.get() << ' ' << image_->width << ' ' << image_->height << ' '
        << static_cast<int>(options_.intensity.kind) << ' ' << options_.intensity.low << ' '
        << options_.intensity.high << ' ' << detect.score_threshold << ' ' << detect.nms_threshold
        << ' ' << detect.detections_per_image << ' ' << detect.rpn_pre_nms_top_n << ' '
        << detect.rpn_post_nms_top_n << ' ' << detect.rpn_nms_threshold << ' '
        << detect.rpn_score_threshold << ' ' << options_.mask_threshold << ' ' << options_.min_area
        << ' ' << options_.max_lost.value_or(-1) << ' ' << detect.scale.value_or(0) << ' '
        << options_.profile;
    return key.str();
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
  /** Reports to each call of the batch; the engine stops a batch that no call wants. */
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
  std::unique_ptr<cuda::StagedInput> ahead_;  // the image on its way to a GPU, if started early
  bool prepared_ = false;                     // or failed to be
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

infer::Tiling read_tiling(const Napi::Value& value) {
  const Fields fields(value, "tiling");
  infer::Tiling tiling{.scale = fields.number("scale"),
                       .size = fields.integer("size"),
                       .overlap = fields.integer("overlap"),
                       .limit = std::nullopt};
  if (fields.has("limit")) tiling.limit = fields.integer("limit");
  return tiling;
}

Napi::Value segment_tiles(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  return guarded(env, [&] {
    const auto call = CallOptions::read(env, info[4]);
    auto image = shared_image(info[1]);
    const int64_t height = image->height, width = image->width;
    return submit<infer::TiledCells>(
        env, call,
        [model = Handle<LoadedModel>::get(env, info[0]), image = std::move(image),
         options = read_segment_options(info[2]),
         tiling = read_tiling(info[3])](const JobContext& poll) {
          return infer::segment_tiles(model->plan(), *image, options, tiling, poll);
        },
        [height, width](Napi::Env env, infer::TiledCells& found) {
          auto result = cells_to_js(env, found.cells, height, width);
          result.Set("seamsX", to_typed_array(env, found.seams_x));
          result.Set("seamsY", to_typed_array(env, found.seams_y));
          result.Set("onSeam", to_typed_array(env, found.on_seam));
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
  exports.Set("segmentTiles", Napi::Function::New(env, segment_tiles));
}

}  // namespace cellroute::addon
