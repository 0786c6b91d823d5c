// SPDX-License-Identifier: BSD-3-Clause
#include "raw_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace bench::raw {

using tern::Frame;
using tern::Instant;

namespace {

// Each address of ours has this many ports: powers of two, so that an index is a shift and a mask.
constexpr std::uint32_t kPorts = 1u << 15, kFirstPort = 1u << 14;
// Requests, or frames, under way at once at most: as many as the rings hold with room to spare, so
// that neither side waits for the other to take something.
constexpr std::uint32_t kWindow = 512;
constexpr std::uint32_t kStreamWindow = 512 * 1024;
// Records for crr: a four-tuple is not used again before so many others.
constexpr std::uint32_t kLeastCrrRecords = kPorts;
// An answer that no next request acknowledges for so long gets an ACK of its own, before the
// server's retransmission timer (200 ms at least) fires.
constexpr std::int64_t kDelayedAck = 100'000'000;
constexpr std::int64_t kArpInterval = 100'000'000, kArpPatience = 10'000'000'000;
constexpr std::uint32_t kIssStep = 1'000'003;

std::uint32_t records_needed(const Options& options) {
  if (options.mode == Mode::kL2) return 0;
  if (options.mode == Mode::kCrr) return std::max(kLeastCrrRecords, 2 * options.connections);
  return options.connections;
}

}  // namespace

RawClient::RawClient(const Options& options, tern::Port& port)
    : options_(options),
      port_(port),
      first_address_(options.runtime.stack.address.address.value()),
      mss_(port.info().mtu - 40u),
      records_(records_needed(options)) {
  if (is_link()) return;
  addresses_ = static_cast<std::uint32_t>((records_.size() + kPorts - 1) / kPorts);
  const tern::Ipv4Prefix& own = options.runtime.stack.address;
  const std::uint32_t last = first_address_ + addresses_ - 1;
  const std::uint32_t server = options.server.v4().value();
  if (!own.contains(tern::Ipv4Address(last)) || (server >= first_address_ && server <= last))
    trouble_ = fmt::format(
        "{} connections need {} addresses from {} on, in the subnet and without the server's: "
        "choose another --ip or a larger subnet",
        records_.size(), addresses_, to_string(own.address));
  if (!own.contains(options.server.v4()))
    trouble_ = fmt::format("--raw knows no gateway: {} is not in {}'s subnet",
                           to_string(options.server), to_string(own.address));
}

RawClient::~RawClient() {
  port_.release(std::span(in_).first(arrived_));
  port_.release(out_);
  port_.release(done_);
  port_.release(spare_);
}

// --- one turn ---

std::size_t RawClient::receive() {
  // What waits to be sent are received frames: no more of them until those have gone.
  arrived_ = out_.size() < 4 * kBurst ? port_.receive(in_) : 0;
  return arrived_;
}

// In two passes, so that the records of a burst come into the cache together.
void RawClient::process(Instant now) {
  now_ = now.time_since_epoch().count();
  for (std::size_t i = 0; i < arrived_; ++i) {
    segments_[i] = read_segment(in_[i].data, in_[i].length);
    found_[i] = segments_[i] ? record_of(*segments_[i]) : nullptr;
    if (found_[i] != nullptr) __builtin_prefetch(found_[i]);
  }
  for (std::size_t i = 0; i < arrived_; ++i) {
    if (found_[i] != nullptr)
      on_segment(in_[i], *segments_[i], *found_[i]);
    else if (is_link() && is_plain(in_[i].data, in_[i].length))
      on_plain(in_[i]);
    else if (const auto arp = read_arp(in_[i].data, in_[i].length))
      on_arp(in_[i], *arp);
    else
      done_.push_back(in_[i]);
  }
  if (arrived_ > 0) flush();  // before anything else is looked at: the server waits for it
  arrived_ = 0;
}

void RawClient::turn(Instant now) {
  now_ = now.time_since_epoch().count();
  if (is_link()) {
    if (is_running_) fill_link();
  } else if (resolved_ < addresses_) {
    ask_for_server();
  } else {
    open_some();
    request_some();
    if (options_.mode == Mode::kStream && is_running_)
      for (Record& r : records_) fill(r);
    pay_acks(options_.mode == Mode::kMaerts ? now_ : now_ - kDelayedAck);
  }
  flush();
}

void RawClient::flush() {
  if (!out_.empty()) {
    const std::size_t taken = port_.transmit(out_);
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  if (done_.empty()) return;
  port_.release(done_);
  done_.clear();
}

bool RawClient::take_frame(Frame& frame) {
  if (spare_.empty()) {
    spare_.resize(kBurst);
    spare_.resize(port_.allocate(spare_));
    if (spare_.empty()) return false;
  }
  frame = spare_.back();
  spare_.pop_back();
  return true;
}

void RawClient::send(Frame& frame, const Record& r, std::uint8_t flags, std::uint32_t seq,
                     std::uint32_t bytes) {
  const std::uint32_t index = index_of(r);
  frame.length =
      template_->write(frame.data, {.address = first_address_ + index / kPorts,
                                    .port = static_cast<std::uint16_t>(kFirstPort + index % kPorts),
                                    .flags = flags,
                                    .seq = seq,
                                    .ack = (flags & kAck) != 0 ? r.rcv_nxt : 0,
                                    .payload_bytes = static_cast<std::uint16_t>(bytes)});
  frame.flags = 0;
  out_.push_back(frame);
}

// A received frame has room for as much as it brought: what does not fit takes another.
void RawClient::answer(Frame& frame, const Record& r, std::uint8_t flags, std::uint32_t seq,
                       std::uint32_t bytes) {
  if (frame.length >= kHeaderBytes + bytes) return send(frame, r, flags, seq, bytes);
  done_.push_back(frame);
  Frame larger;
  if (take_frame(larger)) return send(larger, r, flags, seq, bytes);
  ++totals_.failures;  // the pool is dry: this connection goes no further
}

// --- the neighbour ---

// From each address of ours in turn: the server learns them from the requests.
void RawClient::ask_for_server() {
  if (arp_ends_ == 0) arp_ends_ = now_ + kArpPatience;
  if (now_ >= arp_ends_)
    trouble_ = fmt::format("{} does not answer ARP", to_string(options_.server));
  Frame frame;
  if (now_ < next_arp_ || !take_frame(frame)) return;
  next_arp_ = now_ + kArpInterval;
  frame.length = write_arp(frame.data,
                           {.is_request = true,
                            .sender_mac = port_.info().mac,
                            .sender = first_address_ + resolved_,
                            .target = options_.server.v4().value()},
                           {});
  out_.push_back(frame);
}

void RawClient::on_arp(Frame& frame, const Arp& arp) {
  if (!arp.is_request && arp.sender == options_.server.v4().value() &&
      arp.target == first_address_ + resolved_) {
    if (!template_)
      template_.emplace(port_.info().mac, arp.sender_mac, options_.server.v4(), options_.port,
                        static_cast<std::uint16_t>(mss_));
    ++resolved_;
    next_arp_ = 0;
  }
  if (!arp.is_request || arp.target - first_address_ >= addresses_) return done_.push_back(frame);
  const Arp reply{.is_request = false,
                  .sender_mac = port_.info().mac,
                  .sender = arp.target,
                  .target = arp.sender};
  frame.length = write_arp(frame.data, reply, arp.sender_mac);
  frame.flags = 0;
  out_.push_back(frame);
}

// --- what arrives ---

RawClient::Record* RawClient::record_of(const Incoming& s) {
  const std::uint32_t address = s.address - first_address_;
  const std::uint32_t port = s.port - kFirstPort;
  const std::uint64_t index = std::uint64_t{address} * kPorts + port;
  return port < kPorts && index < records_.size() ? &records_[index] : nullptr;
}

void RawClient::on_segment(Frame& frame, const Incoming& s, Record& r) {
  if (r.state == State::kFree) return done_.push_back(frame);
  if ((s.flags & kRst) != 0) {
    on_lost(r);
    return done_.push_back(frame);
  }
  if (r.state == State::kSynSent) return on_syn_ack(frame, s, r);
  r.snd_una = s.ack;
  r.window = std::uint32_t{s.window} << r.window_scale;
  if (s.payload_bytes > 0) return on_data(frame, s, r);
  if ((s.flags & kFin) != 0) return on_fin(frame, r);
  done_.push_back(frame);
}

void RawClient::on_syn_ack(Frame& frame, const Incoming& s, Record& r) {
  if ((s.flags & (kSyn | kAck)) != (kSyn | kAck) || s.ack != r.snd_nxt)
    return done_.push_back(frame);
  r.rcv_nxt = s.seq + 1;
  r.snd_una = s.ack;
  r.window = s.window;
  r.window_scale = s.window_scale;
  ++totals_.opened;
  --opening_;
  if (is_crr()) return request(frame, r, r.intended);
  answer(frame, r, kAck, r.snd_nxt, 0);
  rest(r);
}

// What is out of order was lost or sent again: the second is acknowledged, so that it ends.
void RawClient::on_data(Frame& frame, const Incoming& s, Record& r) {
  if (s.seq != r.rcv_nxt) return answer(frame, r, kAck, r.snd_nxt, 0);
  r.rcv_nxt += s.payload_bytes;
  totals_.bytes_in += s.payload_bytes;
  r.missing -= std::min(s.payload_bytes, r.missing);
  if ((s.flags & kFin) != 0) return on_fin(frame, r);
  if (r.state == State::kWaiting && r.missing == 0) return on_answer(frame, r);
  owe_ack(r);
  done_.push_back(frame);
}

void RawClient::on_answer(Frame& frame, Record& r) {
  latency_.record(static_cast<std::uint64_t>(now_ - r.intended));
  ++totals_.requests;
  if (is_crr()) {
    answer(frame, r, kFin | kAck, r.snd_nxt++, 0);
    r.state = State::kFinSent;
    return;
  }
  --under_way_;
  if (is_asking_) {
    owe_ack(r);
    r.state = State::kIdle;  // asked once
    return done_.push_back(frame);
  }
  rest(r);
  const bool is_next = is_running_ && options_.mode == Mode::kRr &&
                       (!schedule_ || schedule_->is_due(Instant(tern::Duration(now_))));
  Record* const next = is_next ? &next_idle() : nullptr;
  if (next != &r) owe_ack(r);  // else the request brings it
  if (next == nullptr) return done_.push_back(frame);
  request(frame, *next, next_intended());
}

void RawClient::on_fin(Frame& frame, Record& r) {
  ++r.rcv_nxt;
  if (r.state != State::kFinSent) {
    answer(frame, r, kRst | kAck, r.snd_nxt, 0);
    return on_lost(r);
  }
  answer(frame, r, kAck, r.snd_nxt, 0);
  r.state = State::kFree;
  ++totals_.closed;
  --under_way_;
}

void RawClient::on_lost(Record& r) {
  ++totals_.failures;
  if (r.state == State::kSynSent) --opening_;
  if (is_crr() || r.state == State::kWaiting) --under_way_;
  r.state = State::kFree;
  if (totals_.opened == 0)
    trouble_ = fmt::format("connecting to {}: refused",
                           to_string(tern::Endpoint{options_.server, options_.port}));
}

// --- what leaves ---

void RawClient::open_some() {
  if (is_crr()) {
    while (is_running_ && has_room() && under_way_ < options_.connections &&
           (!schedule_ || schedule_->is_due(Instant(tern::Duration(now_)))))
      open_next();
    return;
  }
  while (opened_so_far_ < records_.size() && opening_ < options_.opening && has_room()) open_next();
}

void RawClient::open_next() {
  Frame frame;
  if (!take_frame(frame)) return;
  std::uint32_t index = opened_so_far_;
  if (is_crr()) {
    // There are twice as many records as connections at once.
    while (records_[next_free_].state != State::kFree)
      next_free_ = next_free_ + 1 == records_.size() ? 0 : next_free_ + 1;
    index = next_free_;
    next_free_ = next_free_ + 1 == records_.size() ? 0 : next_free_ + 1;
    ++under_way_;
  } else {
    ++opened_so_far_;
  }
  Record& r = records_[index];
  r.intended = next_intended();
  r.state = State::kSynSent;
  r.snd_nxt += kIssStep;
  send(frame, r, kSyn, r.snd_nxt++, 0);
  ++opening_;
}

bool RawClient::is_ready() const {
  if (is_link()) return true;
  if (resolved_ < addresses_) return false;
  return is_crr() || (opened_so_far_ == records_.size() && opening_ == 0);
}

void RawClient::start(Instant now) {
  is_running_ = true;
  if (options_.is_open_loop()) schedule_.emplace(options_.rate, now);
}

// Those that are idle, as far as their requests may be under way at once.
void RawClient::request_some() {
  if (!is_asking_ && (!is_running_ || options_.mode != Mode::kRr)) return;
  while (!idle_.empty() && under_way_ < kWindow && has_room()) {
    if (schedule_ && !schedule_->is_due(Instant(tern::Duration(now_)))) return;
    Frame frame;
    if (!take_frame(frame)) return;
    Record& r = next_idle();
    prepare(r, next_intended());
    send(frame, r, kPsh | kAck, r.snd_nxt, options_.size);
    r.snd_nxt += options_.size;
  }
}

// Those that follow are needed soon, and lie anywhere.
RawClient::Record& RawClient::next_idle() {
  constexpr std::size_t kAhead = 16;
  const std::uint32_t index = idle_.front();
  idle_.pop_front();
  if (idle_.size() > kAhead) __builtin_prefetch(&records_[idle_[kAhead]], 1);
  return records_[index];
}

void RawClient::request(Frame& frame, Record& r, std::int64_t intended) {
  prepare(r, intended);
  answer(frame, r, kPsh | kAck, r.snd_nxt, options_.size);
  r.snd_nxt += options_.size;
}

void RawClient::prepare(Record& r, std::int64_t intended) {
  r.intended = intended;
  r.missing = options_.size;
  r.state = State::kWaiting;
  r.owes_ack = false;
  totals_.bytes_out += options_.size;
  if (!is_crr()) ++under_way_;
}

void RawClient::rest(Record& r) {
  r.state = State::kIdle;
  if (options_.mode == Mode::kRr || options_.mode == Mode::kIdle) idle_.push_back(index_of(r));
}

void RawClient::owe_ack(Record& r) {
  if (r.owes_ack) return;
  r.owes_ack = true;
  owed_.push_back({index_of(r), now_});
}

void RawClient::pay_acks(std::int64_t owed_before) {
  while (!owed_.empty() && owed_.front().since <= owed_before && has_room()) {
    Record& r = records_[owed_.front().index];
    Frame frame;
    const bool owes = r.owes_ack && r.state != State::kFree;
    if (owes && !take_frame(frame)) return;
    if (owes) send(frame, r, kAck, r.snd_nxt, 0);
    r.owes_ack = false;
    owed_.pop_front();
  }
}

void RawClient::fill(Record& r) {
  Frame frame;
  while (r.state == State::kIdle && has_room() &&
         r.snd_nxt - r.snd_una + mss_ <= std::min(r.window, kStreamWindow) && take_frame(frame)) {
    send(frame, r, kAck, r.snd_nxt, mss_);
    r.snd_nxt += mss_;
    totals_.bytes_out += mss_;
  }
}

void RawClient::fill_link() {
  Frame frame;
  while (under_way_ < kWindow && has_room() && take_frame(frame)) {
    frame.length = write_plain(frame.data, port_.info().mac, kHeaderBytes + options_.size);
    out_.push_back(frame);
    ++under_way_;
  }
}

// The other side has swapped the addresses, and gets the frame again.
void RawClient::on_plain(Frame& frame) {
  ++totals_.requests;
  totals_.bytes_in += frame.length;
  frame.flags = 0;
  write_plain(frame.data, port_.info().mac, 14);
  out_.push_back(frame);
}

void RawClient::ask_all(Instant) { is_asking_ = true; }

// Frames that the port does not take at once are not worth waiting for.
void RawClient::stop() {
  is_running_ = false;
  for (Record& r : records_) {
    Frame frame;
    if (r.state == State::kFree || r.state == State::kSynSent) continue;
    if (!has_room()) flush();
    if (!has_room() || !take_frame(frame)) break;
    send(frame, r, kRst | kAck, r.snd_nxt, 0);
    r.state = State::kFree;
  }
  flush();
}

std::uint64_t RawClient::backlog(Instant now) const {
  return schedule_ ? schedule_->backlog(now) : 0;
}

}  // namespace bench::raw
