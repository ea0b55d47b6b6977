#pragma once

#include <memory>

#include "addon/handle.h"
#include "train/classifier_trainer.h"
#include "train/segmenter_trainer.h"

namespace cellroute::addon {

/** A trainer: exactly one of the two. Only the owner thread uses it, except for the names, types
 * and shapes of its state. */
struct OwnedTrainer {
  std::unique_ptr<train::SegmenterTrainer> segmenter;
  std::unique_ptr<train::ClassifierTrainer> classifier;

  train::Trainer& any() const;
  /** Throw NATIVE_FAILURE if the trainer is of the other kind. */
  train::SegmenterTrainer& as_segmenter() const;
  train::ClassifierTrainer& as_classifier() const;
};

template <>
struct TypeTag<OwnedTrainer> {
  static constexpr napi_type_tag value{0x51c7e2a90d6b4f18, 0xa3f86d12c95e7b04};
};

}  // namespace cellroute::addon
