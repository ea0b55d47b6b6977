# The C++ tests, and the addon that exposes operators to the parity tests.

add_library(cellroute_testing MODULE ${CMAKE_JS_SRC})
cellroute_batch(cellroute_testing addon
  ${CELLROUTE_ADDON_SHARED}
  native/addon/testing/formula.cc
  native/addon/testing/init.cc
  native/addon/testing/model.cc
  native/addon/testing/ops.cc
  native/addon/testing/optimizer.cc
  native/addon/testing/tensor.cc
  native/addon/testing/train.cc
)
target_link_libraries(cellroute_testing PRIVATE cellroute_core)
cellroute_node_addon(cellroute_testing testing)

enable_testing()
# CELLROUTE_DOCTEST: a folder with doctest/doctest.h, for machines where doctest cannot be installed.
if(DEFINED ENV{CELLROUTE_DOCTEST})
  add_library(doctest::doctest INTERFACE IMPORTED)
  target_include_directories(doctest::doctest INTERFACE "$ENV{CELLROUTE_DOCTEST}")
else()
  find_package(doctest REQUIRED)
endif()

# doctest's main, and the slow reference implementation of masks.
add_library(cellroute_test_support OBJECT native/test/main.cc native/test/mask_reference.cc)
target_link_libraries(cellroute_test_support PRIVATE cellroute_mask doctest::doctest)

# One ctest test per source file, so that files run in parallel and a crash names its file. doctest writes a report per file
# to doctest/, from which scripts/test.mjs counts cases.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/doctest")
# Target of all test programs, for the sanitizers.
add_custom_target(cellroute_tests)
function(cellroute_doctest target)
  target_link_libraries(${target} PRIVATE cellroute_test_support doctest::doctest)
  add_dependencies(cellroute_tests ${target})
  # The library under test is optimised as in a release; the tests compile in half the time with -O1.
  if(NOT MSVC)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "_test\\.cc$")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    add_test(NAME ${name} COMMAND ${target} "--source-file=*/${name}.cc" --reporters=junit
      "--out=${PROJECT_BINARY_DIR}/doctest/${name}.xml")
    set_tests_properties(${name} PROPERTIES LABELS ${target})
  endforeach()
endfunction()

add_executable(cellroute_mask_test
  native/test/mask_contours_test.cc
  native/test/mask_dialects_test.cc
  native/test/mask_polygon_test.cc
  native/test/mask_rle_test.cc
  native/test/mask_sets_test.cc
)
target_link_libraries(cellroute_mask_test PRIVATE cellroute_mask)
cellroute_doctest(cellroute_mask_test)

add_executable(cellroute_measure_test native/test/measure_test.cc)
target_link_libraries(cellroute_measure_test PRIVATE cellroute_measure)
cellroute_doctest(cellroute_measure_test)

add_executable(cellroute_metrics_test native/test/metrics_test.cc)
target_link_libraries(cellroute_metrics_test PRIVATE cellroute_metrics)
cellroute_doctest(cellroute_metrics_test)

add_executable(cellroute_data_test native/test/sample_test.cc)
target_link_libraries(cellroute_data_test PRIVATE cellroute_data)
cellroute_doctest(cellroute_data_test)

add_executable(cellroute_engine_test)
cellroute_batch(cellroute_engine_test test_engine
  native/test/admission_test.cc
  native/test/block_cache_test.cc
  native/test/cancel_test.cc
  native/test/device_test.cc
  native/test/engine_test.cc
  native/test/mapped_block_test.cc
  native/test/most_recent_test.cc
  native/test/parallel_test.cc
  native/test/pixels_test.cc
  native/test/profile_test.cc
  native/test/resize_test.cc
  native/test/window_test.cc
)
target_link_libraries(cellroute_engine_test PRIVATE cellroute_engine)
cellroute_doctest(cellroute_engine_test)

add_executable(cellroute_core_test)
cellroute_batch(cellroute_core_test test_kernels
  native/test/conv_relu_test.cc
  native/test/convolution_test.cc
  native/test/int8_pointwise_conv_test.cc
  native/test/integer_products_test.cc
  native/test/kernel_parts_test.cc
  native/test/pointwise_conv_test.cc
  native/test/tile_order_test.cc
  native/test/winograd_test.cc
  native/test/work_blocks_test.cc
)
cellroute_batch(cellroute_core_test test_ops
  native/test/boxes_test.cc
  native/test/linear_test.cc
  native/test/devices_agree_test.cc
  native/test/mask_targets_test.cc
  native/test/nms_test.cc
  native/test/paste_test.cc
  native/test/paste_window_test.cc
  native/test/roi_align_levels_test.cc
  native/test/roi_align_test.cc
)
cellroute_batch(cellroute_core_test test_model
  native/test/anchor_generator_test.cc
  native/test/box_coder_test.cc
  native/test/classifier_test.cc
  native/test/detect_padded_test.cc
  native/test/keys_test.cc
  native/test/mask_head_test.cc
  native/test/mask_rcnn_test.cc
  native/test/multi_scale_roi_align_test.cc
  native/test/norm_test.cc
  native/test/rpn_test.cc
  native/test/skip_init_test.cc
  native/test/transform_test.cc
  # With the files that include as much as it does.
  native/test/weights_io_test.cc
)
cellroute_batch(cellroute_core_test test_infer
  native/test/explain_test.cc
  native/test/layers_test.cc
  native/test/mask_rcnn_plan_test.cc
  native/test/probe_test.cc
  native/test/segment_tiles_test.cc
  native/test/stitch_test.cc
  native/test/tile_plan_test.cc
)
cellroute_batch(cellroute_core_test test_train
  native/test/mask_rcnn_loss_test.cc
  native/test/matcher_test.cc
  native/test/sampler_test.cc
  native/test/trainable_test.cc
  native/test/trainer_test.cc
)
target_link_libraries(cellroute_core_test PRIVATE cellroute_core)
cellroute_doctest(cellroute_core_test)
