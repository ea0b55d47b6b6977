#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "errors.h"
#include "io/weights.h"
#include "tensors.h"

namespace weights_io_test {

using namespace cellroute::io;
using cellroute::JobContext;
using cellroute::test::code_of;
using cellroute::test::same;

namespace {

/** A temporary file that is deleted with its object. */
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("cellroute-weights-" + std::to_string(std::random_device{}()))) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string bytes_of(const torch::Tensor& tensor) {
  const auto plain = tensor.contiguous();
  return {static_cast<const char*>(plain.data_ptr()), static_cast<size_t>(plain.nbytes())};
}

TensorEntry entry(const std::string& name, const torch::Tensor& tensor, uint64_t offset,
                  uint64_t storage_end) {
  return {.name = name,
          .dtype = tensor.scalar_type(),
          .shape = tensor.sizes().vec(),
          .strides = tensor.strides().vec(),
          .offset = offset,
          .storage_end = storage_end};
}

}  // namespace

TEST_CASE("read_tensor: every type, at any alignment") {
  torch::manual_seed(3);
  for (const auto dtype :
       {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16, torch::kInt64,
        torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8, torch::kBool}) {
    const auto tensor = (torch::randn({3, 4, 5}) * 50).abs().floor().to(dtype);
    for (const uint64_t shift : {0, 1, 3, 8}) {
      const TemporaryFile disk(std::string(shift, 'x') + bytes_of(tensor) + "after");
      const MappedFile file(disk.path());
      const auto found = read_tensor(file, entry("t", tensor, shift, shift + tensor.nbytes()));
      CHECK(same(found, tensor));
      CHECK(found.is_contiguous());
    }
  }
}

TEST_CASE("read_tensor: transposed, sliced, expanded, zero-dimensional, empty") {
  const auto base = torch::arange(60, torch::kFloat32).view({3, 4, 5});
  const TemporaryFile disk(bytes_of(base));
  const MappedFile file(disk.path());
  const std::vector<torch::Tensor> tensors{base.permute({2, 0, 1}),
                                           base.slice(2, 1, 5, 2),
                                           base.select(1, 2),
                                           base[2][3][4],
                                           base[1][1].slice(0, 2, 3).expand({6, 1}),
                                           base.slice(0, 1, 1)};
  for (const auto& tensor : tensors) {
    const auto offset = static_cast<uint64_t>(tensor.storage_offset()) * 4;
    const auto found = read_tensor(file, entry("t", tensor, offset, 240));
    CHECK(same(found, tensor));
    CHECK(found.is_contiguous());
  }
}

TEST_CASE("read_tensor: bytes of a bool other than 0 and 1") {
  const TemporaryFile disk(std::string("\x00\x01\x02\xff", 4));
  const MappedFile file(disk.path());
  CHECK(same(read_tensor(file, entry("t", torch::zeros({4}, torch::kBool), 0, 4)),
             torch::tensor({false, true, true, true})));
}

TEST_CASE("read_tensor refuses ranges outside the file, and sizes that overflow") {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr uint64_t kEnd = std::numeric_limits<uint64_t>::max();
  const TemporaryFile disk(std::string(100, 'x'));
  const MappedFile file(disk.path());
  const auto read = [&](std::vector<int64_t> shape, std::vector<int64_t> strides, uint64_t offset,
                        uint64_t end) {
    return read_tensor(file, {.name = "layer.weight",
                              .dtype = torch::kFloat32,
                              .shape = std::move(shape),
                              .strides = std::move(strides),
                              .offset = offset,
                              .storage_end = end});
  };
  CHECK(read({25}, {1}, 0, 100).numel() == 25);
  CHECK(read({24}, {1}, 4, 100).numel() == 24);
  CHECK(read({2}, {24}, 0, 100).numel() == 2);
  CHECK(read({0, kMax}, {kMax, 1}, 0, 100).numel() == 0);

  struct Refused {
    std::vector<int64_t> shape, strides;
    uint64_t offset, end;
  };
  const std::vector<Refused> refused{
      {{26}, {1}, 0, 100},              // one element too many
      {{25}, {1}, 4, 100},              // starts too late
      {{25}, {1}, 0, 99},               // exceeds its storage
      {{26}, {1}, 0, kEnd},             // a storage that ends after the file
      {{1}, {1}, 104, 200},             // starts after the file
      {{1}, {1}, kEnd - 1, kEnd},       // offset + size overflows
      {{1}, {1}, 50, 40},               // a storage that ends before it starts
      {{2}, {25}, 0, 100},              // the stride leads outside
      {{2}, {kMax}, 0, kEnd},           // stride * size overflows
      {{kMax, kMax}, {0, 0}, 0, kEnd},  // the number of elements overflows
      {{kMax}, {1}, 0, kEnd},           // the number of bytes overflows
      {{1000}, {0}, 0, 100},            // one element 1,000 times: more than the file has
      {{-1}, {1}, 0, 100},
      {{2}, {-1}, 50, 100},
      {{2, 2}, {1}, 0, 100},  // no stride for the second dimension
      {{0, kMax, kMax}, {1, 1, 1}, 0, 100},
  };
  for (const auto& r : refused) {
    CAPTURE(r.shape.front());
    CHECK(code_of([&] { read(r.shape, r.strides, r.offset, r.end); }) == "WEIGHTS_DAMAGED");
    CHECK_THROWS_WITH(read(r.shape, r.strides, r.offset, r.end), doctest::Contains("layer.weight"));
  }
}

TEST_CASE("MappedFile: missing, a folder, empty, shortened, non-ASCII names") {
  CHECK(code_of([] { MappedFile("/nonexistent/weights.pth"); }) == "FILE_UNREADABLE");
  CHECK(code_of([] { MappedFile(std::filesystem::temp_directory_path().string()); }) ==
        "FILE_UNREADABLE");
  const TemporaryFile nothing("");
  const MappedFile empty(nothing.path());
  CHECK(empty.size() == 0);
  CHECK(code_of([&] { empty.range(0, 1); }) == "WEIGHTS_DAMAGED");

  const TemporaryFile disk(std::string(100'000, 'x'));
  const MappedFile file(disk.path());
  CHECK(file.range(99'999, 1)[0] == 'x');
  std::filesystem::resize_file(disk.path(), 10);
  CHECK(file.range(0, 10)[9] == 'x');
  CHECK(code_of([&] { file.range(99'999, 1); }) == "WEIGHTS_DAMAGED");
}

namespace {

struct SmallImpl : torch::nn::Module {
  SmallImpl() {
    convolution = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 3, 1)));
    norm = register_module("bn", torch::nn::BatchNorm2d(3));
  }
  torch::nn::Conv2d convolution{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
};
TORCH_MODULE(Small);

/** Tensors stored one after the other in a file, and their table. */
struct Stored {
  explicit Stored(const std::vector<std::pair<std::string, torch::Tensor>>& tensors) {
    std::string bytes;
    for (const auto& [name, tensor] : tensors) {
      const auto offset = bytes.size();
      bytes += bytes_of(tensor);
      entries.push_back(entry(name, tensor.contiguous(), offset, bytes.size()));
    }
    disk = std::make_unique<TemporaryFile>(bytes);
  }
  std::vector<TensorEntry> entries;
  std::unique_ptr<TemporaryFile> disk;
};

}  // namespace

TEST_CASE("load_state copies, casts and reports") {
  torch::manual_seed(4);
  const auto weight = torch::randn({3, 2, 1, 1}, torch::kFloat64);
  const auto mean = torch::randn({3}).to(torch::kFloat16);
  const Stored stored({{"conv.weight", weight},
                       {"bn.running_mean", mean},
                       {"bn.weight", torch::ones({4})},
                       {"elsewhere.bias", torch::ones({2})},
                       {"elsewhere.num_batches_tracked", torch::ones({}, torch::kInt64)},
                       {"conv.weight", torch::zeros({3, 2, 1, 1})}});
  Small module;
  const auto bias = module->convolution->bias.detach().clone();
  std::vector<double> progress;
  const JobContext poll(nullptr,
                        [&](const char*, double fraction) { progress.push_back(fraction); });
  const auto report = load_state(*module, MappedFile(stored.disk->path()), stored.entries, poll);

  CHECK(same(module->convolution->weight.detach(), weight.to(torch::kFloat32)));
  CHECK(same(module->norm->running_mean, mean.to(torch::kFloat32)));
  CHECK(same(module->convolution->bias.detach(), bias));
  CHECK(same(module->norm->weight.detach(), torch::ones({3})));
  CHECK(module->convolution->weight.requires_grad());
  CHECK(report.loaded == std::vector<std::string>{"conv.weight", "bn.running_mean"});
  // The name of the second conv.weight is already used.
  CHECK(report.unexpected == std::vector<std::string>{"elsewhere.bias", "conv.weight"});
  CHECK(report.missing == std::vector<std::string>{"conv.bias", "bn.bias", "bn.running_var"});
  REQUIRE(report.mismatched.size() == 1);
  CHECK(report.mismatched[0] == "bn.weight: the file has [4], the network [3]");
  CHECK(progress.size() == 6);
  CHECK(std::ranges::is_sorted(progress));
}

TEST_CASE("load_state: num_batches_tracked is loaded if the network has it, and is optional") {
  const Stored stored({{"bn.num_batches_tracked", torch::full({}, 7, torch::kInt64)}});
  Small module;
  const auto report =
      load_state(*module, MappedFile(stored.disk->path()), stored.entries, JobContext());
  CHECK(module->norm->num_batches_tracked.item<int64_t>() == 7);
  CHECK(report.loaded == std::vector<std::string>{"bn.num_batches_tracked"});
  CHECK(load_state(*module, MappedFile(stored.disk->path()), {}, JobContext()).missing.size() == 6);
}

TEST_CASE("load_state stops when it is cancelled, and at a damaged tensor") {
  Stored stored({{"conv.weight", torch::ones({3, 2, 1, 1})}});
  Small module;
  auto flag = std::make_shared<cellroute::CancelFlag>();
  flag->cancel();
  CHECK_THROWS_AS(load_state(*module, MappedFile(stored.disk->path()), stored.entries,
                             JobContext(flag, nullptr)),
                  cellroute::Cancelled);
  stored.entries[0].offset += 4;
  CHECK(code_of([&] {
          load_state(*module, MappedFile(stored.disk->path()), stored.entries, JobContext());
        }) == "WEIGHTS_DAMAGED");
}

}  // namespace weights_io_test
