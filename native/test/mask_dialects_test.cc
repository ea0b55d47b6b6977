#include <doctest/doctest.h>

#include <random>
#include <string>

#include "error.h"
#include "mask/coco.h"
#include "mask/kaggle.h"
#include "test/mask_reference.h"

namespace cellroute::mask {
namespace {

constexpr int64_t kAccepted = -1;

template <class Read>
int64_t refused_at(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    CHECK(error.code() == "RLE_MALFORMED");
    return static_cast<int64_t>(error.position().value());
  }
  return kAccepted;
}

TEST_CASE("Kaggle's text: writing and reading") {
  for (const auto& mask : many_masks(4)) {
    const auto rle = counts_by_pixel(mask);
    const auto text = to_kaggle(rle);
    CHECK(text == kaggle_by_pixel(mask));
    CHECK(from_kaggle(text, mask.height, mask.width) == rle);
  }
}

TEST_CASE("Kaggle's text with unusual whitespace and adjacent runs") {
  CHECK(from_kaggle("", 2, 3).counts == std::vector<uint32_t>{6});
  CHECK(from_kaggle("  1  1 3 1 ", 1, 3).counts == std::vector<uint32_t>{0, 1, 1, 1});
  // Adjacent runs are joined.
  CHECK(to_kaggle(from_kaggle("1 2 3 1 4 2", 2, 3)) == "1 5");
}

TEST_CASE("Kaggle's text is refused with the position of the error") {
  const auto at = [](std::string_view text) {
    return refused_at([&] { from_kaggle(text, 3, 4); });
  };
  CHECK(at("1 12") == kAccepted);
  CHECK(at("12 1") == kAccepted);
  CHECK(at("1") == 1);  // a start without a length
  CHECK(at("1 2 5 ") == 6);
  CHECK(at("0 1") == 0);   // starts count from 1
  CHECK(at("1 0") == 2);   // an empty run
  CHECK(at("1 13") == 2);  // past the last pixel
  CHECK(at("13 1") == 0);
  CHECK(at("5 2 1 1") == 4);  // descending
  CHECK(at("1 3 3 1") == 4);  // overlapping
  CHECK(at("-1 2") == 0);
  CHECK(at("+1 2") == 0);
  CHECK(at("1 2.0") == 3);
  CHECK(at("1,2") == 1);
  CHECK(at("1\t2") == 1);
  CHECK(at("1 2\n") == 3);
  CHECK(at(std::string_view("1 2\0", 4)) == 3);
  CHECK(at("1 18446744073709551617") == 2);  // would be 1 in 64 bits
  CHECK(at("4294967297 1") == 0);            // would be 1 in 32 bits
  CHECK(at("1 \xd9\xa1") == 2);
  CHECK(at("nan") == 0);
}

TEST_CASE("COCO's string: writing and reading") {
  for (const auto& mask : many_masks(5)) {
    const auto rle = counts_by_pixel(mask);
    CHECK(from_coco(to_coco(rle), mask.height, mask.width) == rle);
  }
  // Written by pycocotools.
  CHECK(to_coco(Rle{1, 1, {0, 1}}) == "01");
  CHECK(to_coco(Rle{33, 65, {2145}}) == "QS2");
  CHECK(to_coco(Rle{65535, 65537, {0, 0xffffffff}}) == "0oooooo3");
}

TEST_CASE("COCO's string: groups of five bits with sign extension") {
  CHECK(from_coco("<", 3, 4).counts == std::vector<uint32_t>{12});
  CHECK(from_coco("\\0", 3, 4).counts == std::vector<uint32_t>{12});  // with a redundant group
  CHECK(from_coco("0oooooo3", 65535, 65537).counts == std::vector<uint32_t>{0, 0xffffffff});
  // Empty runs are removed: 3 0 4 5 is 7 5, the fourth is stored as 5 - 0.
  CHECK(from_coco("3045", 3, 4).counts == std::vector<uint32_t>{7, 5});
}

TEST_CASE("COCO's string is refused with the position of the error") {
  const auto at = [](std::string_view text) { return refused_at([&] { from_coco(text, 3, 4); }); };
  CHECK(at("<") == kAccepted);
  CHECK(at("") == 0);
  CHECK(at("5") == 1);  // 5 of 12 pixels
  CHECK(at("=") == 0);  // 13 of 12 pixels
  CHECK(at("552") == kAccepted);
  CHECK(at("553") == 2);
  CHECK(at("O") == 0);     // -1
  CHECK(at("12I") == 2);   // -7
  CHECK(at("123I") == 3);  // 2 - 7
  CHECK(at("5P") == 2);    // ends inside a count
  CHECK(at("/") == 0);
  CHECK(at("5p") == 1);
  CHECK(at("5 7") == 1);
  CHECK(at(std::string_view("5\0", 2)) == 1);
  CHECK(at("5\xff") == 1);
  CHECK(at("PPPPPPPPPPPPPPPPPPPP0") == 0);  // too many groups for a number
  CHECK(at("oooooo3") == 0);                // above 2^32 - 1
}

/** Reference reader, number by number. */
int64_t coco_by_number(std::string_view text, uint32_t height, uint32_t width, Rle& mask) {
  std::vector<int64_t> counts;
  int64_t left = int64_t{height} * width;
  for (size_t next = 0; next < text.size();) {
    const size_t begin = next;
    int64_t count = 0;
    for (int group = 0;; ++group) {
      if (group == 7) return static_cast<int64_t>(begin);
      if (next == text.size()) return static_cast<int64_t>(next);
      const int64_t bits = static_cast<unsigned char>(text[next]) - 48;
      if (bits < 0 || bits > 63) return static_cast<int64_t>(next);
      ++next;
      count += bits % 32 << (5 * group);
      if (bits >= 32) continue;
      if (bits >= 16) count -= int64_t{32} << (5 * group);
      break;
    }
    if (counts.size() > 2) count += counts[counts.size() - 2];
    if (count < 0 || count > left) return static_cast<int64_t>(begin);
    left -= count;
    counts.push_back(count);
  }
  if (left != 0) return static_cast<int64_t>(text.size());
  mask = from_counts(std::vector<uint32_t>(counts.begin(), counts.end()), height, width);
  return kAccepted;
}

void check_any(std::string_view text, uint32_t height, uint32_t width) {
  Rle expected, mask;
  const auto position = coco_by_number(text, height, width, expected);
  CHECK(refused_at([&] { mask = from_coco(text, height, width); }) == position);
  CHECK(mask == expected);
}

TEST_CASE("COCO's string with a changed, added or removed character equals the reference reader") {
  std::mt19937 random(11);
  for (const auto& mask : many_masks(6)) {
    const auto whole = to_coco(counts_by_pixel(mask));
    for (int round = 0; round < 60; ++round) {
      auto text = whole;
      const size_t at = random() % text.size();
      const auto other = static_cast<char>(random() % 4 != 0 ? '0' + random() % 64 : random());
      if (round % 3 == 0) text[at] = other;
      if (round % 3 == 1) text.insert(at, 1, other);
      if (round % 3 == 2) text.erase(at, 1 + random() % 3);
      check_any(text, mask.height, mask.width);
    }
  }
}

TEST_CASE(
    "COCO's strings of random characters equal the reference reader, for images of any size") {
  std::mt19937 random(12);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t length = random() % 60; text.size() < length;) {
      text.push_back(static_cast<char>('0' + random() % (random() % 9 == 0 ? 64 : 32)));
    }
    check_any(text, 30, 40);
    check_any(text, 65535, 65537);
  }
}

TEST_CASE(
    "COCO's string with a negative count is refused, also if 32-bit arithmetic would accept it") {
  // 0 1 1 -10 1 1 1 1 1 1 1: with 2^32 - 10, the sum would be the size of the image.
  CHECK(refused_at([] { from_coco("011E0;00000", 65535, 65537); }) == 3);
}

TEST_CASE("COCO's counts: empty runs are removed, all others must fit") {
  const auto read = [](std::vector<uint32_t> counts) { return from_counts(counts, 3, 4).counts; };
  CHECK(read({12}) == std::vector<uint32_t>{12});
  CHECK(read({12, 0}) == std::vector<uint32_t>{12});
  CHECK(read({3, 0, 4, 5}) == std::vector<uint32_t>{7, 5});
  CHECK(read({0, 0, 0, 2, 0, 3, 7}) == std::vector<uint32_t>{0, 5, 7});
  const auto at = [&](std::vector<uint32_t> counts) { return refused_at([&] { read(counts); }); };
  CHECK(at({}) == 0);
  CHECK(at({5, 5}) == 2);
  CHECK(at({5, 8}) == 1);
  CHECK(at({5, 0xffffffff, 8}) == 1);
}

}  // namespace
}  // namespace cellroute::mask
