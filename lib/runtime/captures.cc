// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/captures.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tern::runtime {

namespace {

constexpr std::chrono::milliseconds kNap{5};
constexpr std::size_t kFramesAtATime = 256;
// What waits for a reader beyond this stays in the rings.
constexpr std::size_t kPendingLimit = 64 << 10;

std::string comment_for(DropReason drop) {
  if (drop == DropReason::kNone) return "";
  const CounterInfo& info = drop_info(drop);
  return absl::StrCat("dropped: ", std::string(info.sentence), " (", std::string(info.name), ")");
}

absl::StatusOr<int> open_pipe(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, path);
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode)) return descriptor;
  ::close(descriptor);
  return absl::InvalidArgumentError(absl::StrCat(path, " is not a named pipe"));
}

}  // namespace

struct Captures::Capture {
  std::string target;
  bool is_file = false;
  std::unique_ptr<io::PcapngWriter> writer;
  std::uint32_t interface = 0;
  std::vector<std::unique_ptr<io::CaptureStream>> streams;  // one for each worker
  absl::Status status;                                      // of the last write

  bool has_room() {
    if (writer->pending_bytes() < kPendingLimit) return true;
    flush();
    return writer->pending_bytes() < kPendingLimit;
  }
  void flush() {
    if (writer->pending_bytes() > 0) status = writer->flush();
  }
  // A pipe that is full will have room again; anything else will not get better.
  bool is_broken() const { return !status.ok() && !absl::IsUnavailable(status); }

  std::size_t pump() {
    std::size_t taken = 0;
    const auto write = [this](const io::CapturedFrame& about, std::span<const std::byte> frame) {
      writer->write_frame(interface, about.time, about.direction, frame, comment_for(about.drop));
    };
    for (const auto& stream : streams)
      for (std::size_t i = 0; i < kFramesAtATime && has_room() && stream->take(write); ++i) ++taken;
    return taken;
  }
  std::uint64_t lost() const {
    std::uint64_t sum = writer->frames_lost();
    for (const auto& stream : streams) sum += stream->frames_lost();
    return sum;
  }
};

Captures::Captures(std::string program, std::string device, std::size_t buffer_bytes)
    : program_(std::move(program)), device_(std::move(device)), buffer_bytes_(buffer_bytes) {}

Captures::~Captures() { finish().IgnoreError(); }

io::PcapngOptions Captures::options() const {
  io::PcapngOptions options;
  options.application = program_;
  return options;
}

absl::Status Captures::open_file(const std::string& path, const std::string& filter) {
  if (auto compiled = io::PacketFilter::compile(filter); !compiled.ok()) return compiled.status();
  auto writer = io::PcapngWriter::open(path, options());
  if (!writer.ok()) return writer.status();
  return add(*std::move(writer), path, filter, false);
}

absl::Status Captures::attach_pipe(const std::string& path, const std::string& filter) {
  const auto descriptor = open_pipe(path);
  if (!descriptor.ok()) return descriptor.status();
  return add(io::PcapngWriter::adopt(*descriptor, path, options()), path, filter, true);
}

absl::Status Captures::add(std::unique_ptr<io::PcapngWriter> writer, const std::string& target,
                           const std::string& filter, bool workers_run) {
  auto compiled = io::PacketFilter::compile(filter);
  if (!compiled.ok()) return compiled.status();
  auto capture = std::make_unique<Capture>();
  capture->target = target;
  capture->is_file = !workers_run;
  capture->writer = std::move(writer);
  capture->interface = capture->writer->add_interface(device_);
  for (std::size_t i = 0; i < sources_.size(); ++i)
    capture->streams.push_back(std::make_unique<io::CaptureStream>(*compiled, buffer_bytes_));

  const std::lock_guard lock(mutex_);
  if (finishing_) return absl::UnavailableError("the process is ending");
  if (captures_.size() == kMost)
    return absl::ResourceExhaustedError(absl::StrCat("there are ", kMost, " captures already"));
  on_each_worker(workers_run,
                 [&](std::size_t i) { sources_[i].port->attach(*capture->streams[i]); });
  captures_.push_back(std::move(capture));
  if (!writer_.joinable())
    writer_ = ControlThread("tern-capture", [this] { write_until_finished(); });
  return absl::OkStatus();
}

// A worker that has stopped may be touched by anyone, and so may one that has not begun; both are
// told apart from one that runs by its answer or by the caller.
void Captures::on_each_worker(bool workers_run, const std::function<void(std::size_t)>& function) {
  constexpr std::chrono::hours kAsLongAsItTakes{1};
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const auto call = [&] { function(i); };
    if (!workers_run || sources_[i].mailbox->ask(call, kAsLongAsItTakes) == AskResult::kStopped)
      call();
  }
}

void Captures::detach(Capture& capture) {
  on_each_worker(true, [&](std::size_t i) { sources_[i].port->detach(*capture.streams[i]); });
}

void Captures::write_until_finished() {
  while (!finishing_)
    if (!pump_all()) std::this_thread::sleep_for(kNap);
}

// False: there was nothing to do.
bool Captures::pump_all() {
  const std::lock_guard lock(mutex_);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < captures_.size();) {
    Capture& capture = *captures_[i];
    const std::size_t frames = capture.pump();
    if (frames == 0) capture.flush();
    taken += frames;
    // A file is kept to the end, where somebody asks how it went.
    if (capture.is_file || !capture.is_broken()) {
      ++i;
      continue;
    }
    detach(capture);
    captures_.erase(captures_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return taken > 0;
}

std::vector<CaptureCount> Captures::counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<CaptureCount> counts;
  for (const auto& capture : captures_)
    counts.push_back({capture->target, capture->writer->frames_written(), capture->lost()});
  return counts;
}

absl::Status Captures::finish() {
  ControlThread writer;
  {
    // Whoever is about to attach does so first, and nobody after.
    const std::lock_guard lock(mutex_);
    if (finishing_.exchange(true)) return absl::OkStatus();
    writer = std::move(writer_);
  }
  writer.join();
  const std::lock_guard lock(mutex_);
  for (const CaptureSource& source : sources_) source.port->settle();
  absl::Status result;
  for (const auto& capture : captures_) {
    while (capture->pump() > 0) continue;
    absl::Status status = capture->writer->close();
    if (capture->is_file) result.Update(status);
    for (std::size_t i = 0; i < sources_.size(); ++i)
      sources_[i].port->detach(*capture->streams[i]);
  }
  return result;
}

}  // namespace tern::runtime
