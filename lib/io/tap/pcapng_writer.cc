// SPDX-License-Identifier: BSD-3-Clause
#include "io/tap/pcapng_writer.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace tern::io {
namespace {

// Section numbers are draft-ietf-opsawg-pcapng-03's. Values are in the writer's byte order (3.1).
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;         // 4.1
constexpr std::uint32_t kInterfaceDescription = 0x00000001;  // 4.2
constexpr std::uint32_t kEnhancedPacket = 0x00000006;        // 4.3
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kLinkTypeEthernet = 1;
constexpr std::uint16_t kOptEnd = 0, kOptComment = 1;  // 3.5
constexpr std::uint16_t kShbUserApplication = 4;
constexpr std::uint16_t kIfName = 2, kIfTsResolution = 9;
constexpr std::uint16_t kEpbFlags = 2;
constexpr std::uint32_t kInbound = 1, kOutbound = 2;
constexpr std::uint8_t kNanoseconds = 9;             // 10^-9
constexpr std::size_t kEnhancedPacketOverhead = 64;  // an upper bound without frame and comment

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

// Appends one block to a buffer; its two length fields are filled in by finish().
class Block {
 public:
  Block(std::vector<std::byte>& out, std::uint32_t type) : out_(out), start_(out.size()) {
    put(type);
    put(std::uint32_t{0});
  }

  template <typename T>
  void put(T value) {
    put_bytes(std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  void put_bytes(std::span<const std::byte> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void put_padded(std::span<const std::byte> bytes) {
    put_bytes(bytes);
    out_.resize(out_.size() + padded(bytes.size()) - bytes.size());
  }
  void put_option(std::uint16_t code, std::span<const std::byte> value) {
    put(code);
    put(static_cast<std::uint16_t>(value.size()));
    put_padded(value);
  }
  void put_option(std::uint16_t code, std::string_view text) {
    put_option(code, std::as_bytes(std::span(text.data(), text.size())));
  }
  void finish() {
    put(kOptEnd);
    put(std::uint16_t{0});
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ + 4);
    put(length);
    std::memcpy(&out_[start_ + 4], &length, sizeof length);
  }

 private:
  std::vector<std::byte>& out_;
  std::size_t start_;
};

// An option's length field has 16 bits.
std::string_view clamp_option(std::string_view text) { return text.substr(0, 65'000); }

}  // namespace

absl::StatusOr<std::unique_ptr<PcapngWriter>> PcapngWriter::open(const std::string& path,
                                                                 const PcapngOptions& options) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path));
  return adopt(descriptor, path, options);
}

std::unique_ptr<PcapngWriter> PcapngWriter::adopt(int descriptor, std::string name,
                                                  const PcapngOptions& options) {
  return std::unique_ptr<PcapngWriter>(new PcapngWriter(descriptor, std::move(name), options));
}

PcapngWriter::PcapngWriter(int descriptor, std::string name, const PcapngOptions& options)
    : descriptor_(descriptor), name_(std::move(name)), options_(options) {
  options_.application.resize(std::min<std::size_t>(options_.application.size(), 255));
  options_.buffer_bytes = std::max<std::size_t>(options_.buffer_bytes, 4096);
  buffer_.reserve(options_.buffer_bytes);
  append_section_header();
}

PcapngWriter::~PcapngWriter() { close().IgnoreError(); }

void PcapngWriter::append_section_header() {
  Block block(buffer_, kSectionHeader);
  block.put(kByteOrderMagic);
  block.put(std::uint16_t{1});  // version 1.0
  block.put(std::uint16_t{0});
  block.put(~std::uint64_t{0});  // section length: not known
  block.put_option(kShbUserApplication, options_.application);
  block.finish();
}

std::uint32_t PcapngWriter::add_interface(std::string_view name) {
  name = name.substr(0, 255);
  Block block(buffer_, kInterfaceDescription);
  block.put(kLinkTypeEthernet);
  block.put(std::uint16_t{0});
  block.put(options_.snap_length);
  block.put_option(kIfName, name);
  block.put_option(kIfTsResolution, std::as_bytes(std::span(&kNanoseconds, 1)));
  block.finish();
  return interfaces_++;
}

void PcapngWriter::write_frame(std::uint32_t interface, Instant time, FrameDirection direction,
                               std::span<const std::byte> frame, std::string_view comment) {
  TERN_ASSERT(interface < interfaces_);
  comment = clamp_option(comment);
  const std::size_t kept = options_.snap_length == 0
                               ? frame.size()
                               : std::min<std::size_t>(frame.size(), options_.snap_length);
  if (!make_room(kEnhancedPacketOverhead + padded(kept) + padded(comment.size()))) {
    ++frames_lost_;
    return;
  }
  const auto since_epoch = time.time_since_epoch() + options_.epoch_offset;
  const auto ticks = static_cast<std::uint64_t>(since_epoch.count());
  const std::uint32_t flags = direction == FrameDirection::kReceived ? kInbound : kOutbound;
  Block block(buffer_, kEnhancedPacket);
  block.put(interface);
  block.put(static_cast<std::uint32_t>(ticks >> 32));
  block.put(static_cast<std::uint32_t>(ticks));
  block.put(static_cast<std::uint32_t>(kept));
  block.put(static_cast<std::uint32_t>(frame.size()));
  block.put_padded(frame.first(kept));
  block.put_option(kEpbFlags, std::as_bytes(std::span(&flags, 1)));
  if (!comment.empty()) block.put_option(kOptComment, comment);
  block.finish();
  ++frames_written_;
}

bool PcapngWriter::make_room(std::size_t bytes) {
  if (descriptor_ < 0) return false;
  if (buffer_.size() + bytes <= options_.buffer_bytes) return true;
  flush().IgnoreError();  // counted there; what remains unwritten decides
  return buffer_.size() + bytes <= options_.buffer_bytes;
}

absl::Status PcapngWriter::flush() {
  std::size_t done = 0;
  int error = 0;
  while (done < buffer_.size() && error == 0) {
    const ssize_t n = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (n == 0 || errno != EINTR)
      error = n == 0 ? EIO : errno;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(done));
  if (error == 0) return absl::OkStatus();
  ++write_failures_;
  return absl::ErrnoToStatus(error, absl::StrCat("cannot write to ", name_));
}

absl::Status PcapngWriter::close() {
  if (descriptor_ < 0) return absl::OkStatus();
  absl::Status status = flush();
  if (::close(descriptor_) != 0 && status.ok())
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot close ", name_));
  descriptor_ = -1;
  buffer_.clear();
  return status;
}

}  // namespace tern::io
