#pragma once

#include <napi.h>

// The parts of the addon. Each register function adds functions of lib/native/contract.ts to the
// exports, and is defined in the source file of its name.
namespace cellroute::addon {

/** createCancel(), cancel(handle): a flag that JS sets while the jobs of a call wait or run;
 *  stopEngine(). */
void register_jobs(Napi::Env env, Napi::Object exports);

/** tryRoom(bytes): room for a call's image, or null; requestRoom(bytes, call): a promise of room;
 *  releaseRoom(room); setQueueLimits(bytes, calls) and queueState() of the process. */
void register_admission(Napi::Env env, Napi::Object exports);

/** createImage({data, width, height, channels}): a handle to native memory for an image, without
 *  pixels. appendPixels(handle, data, begin, end): copies elements begin to end of `data` into it,
 *  in parts, so that no copy blocks the event loop. releaseImage(handle). discardPixels(data):
 *  frees the memory of an array that is no longer used. */
void register_images(Napi::Env env, Napi::Object exports);

/** The functions whose names start with `mask`. */
void register_mask(Napi::Env env, Napi::Object exports);

/** measureShapes, measureIntensities. */
void register_measure(Napi::Env env, Napi::Object exports);

/** evaluateMasks, bootstrapMean. */
void register_metrics(Napi::Env env, Napi::Object exports);

/** loadMaskRCNN, loadClassifier, releaseModel, listTensors, readTensor. */
void register_model(Napi::Env env, Napi::Object exports);

/** segment(model, image, options, call), planTiles, measureRange, segmentTile, stitchTiles. */
void register_segment(Napi::Env env, Napi::Object exports);

/** findCandidates(model, image, options, call), cutMasks(candidates, height, width, threshold,
 *  call). */
void register_candidates(Napi::Env env, Napi::Object exports);

/** probeScales(model, image, options, probes, call), blockContrast(image, intensity, rows,
 *  columns, call). */
void register_probe(Napi::Env env, Napi::Object exports);

/** classify(model, image, intensity, call) and classifyTensor(model, data, height, width, call).
 */
void register_classify(Napi::Env env, Napi::Object exports);

/** explain(model, image, intensity, options, call) and explainTensor(model, data, height, width,
 *  options, call). */
void register_explain(Napi::Env env, Napi::Object exports);

/** createSegmenterTrainer, createClassifierTrainer, releaseTrainer, startTrainer,
 *  listTrainerTensors, readTrainerTensor, restoreTrainer, snapshotTrainer. */
void register_train(Napi::Env env, Napi::Object exports);

/** trainSegmenterStep, trainClassifierStep. */
void register_train_step(Napi::Env env, Napi::Object exports);

/** prepareSample. */
void register_sample(Napi::Env env, Napi::Object exports);

/** Keeps this library in memory until the process ends. Node unloads an addon with the last
 *  environment that uses it, for example a worker. LibTorch remains loaded and still calls objects
 *  that were registered with it, such as our allocator (engine/block_cache.h). */
void stay_loaded();

}  // namespace cellroute::addon
