#pragma once

#include <napi.h>

namespace cellroute::addon {

/** createSegmenterTrainer, createClassifierTrainer, releaseTrainer, startTrainer,
 *  listTrainerTensors, readTrainerTensor, restoreTrainer, snapshotTrainer. */
void register_train(Napi::Env env, Napi::Object exports);

/** trainSegmenterStep, trainClassifierStep. */
void register_train_step(Napi::Env env, Napi::Object exports);

}  // namespace cellroute::addon
