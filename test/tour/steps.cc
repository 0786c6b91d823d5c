// SPDX-License-Identifier: BSD-3-Clause
// What docs/tour.md shows: each step is a little play of two hosts. `scripts/tour STEP` runs one.
#include "steps.h"

#include <cstdio>
#include <span>

#include "stage.h"

namespace tern::tour {

namespace {

using test::Segment;

void write(Connection c, std::string_view text) { (void)c.write(std::as_bytes(std::span(text))); }

bool is_syn(const Segment& s) { return s.has('S'); }
bool is_fin(const Segment& s) { return s.has('F'); }
bool is_data(const Segment& s) { return !s.payload.empty(); }
bool is_pure_ack(const Segment& s) { return s.flags == "." && s.payload.empty(); }

// The connection at apple's end.
Connection apples(Stage& stage) { return stage.apple().handler().records().back().connection; }

void handshake() {
  Stage stage;
  stage.listen();
  stage.connect();
  stage.settle();
  stage.print_diagram();
  std::printf("\nas tcpdump prints it:\n");
  stage.print_packets();
}

void data() {
  Stage stage;
  stage.listen();
  const Connection c = stage.connect();
  stage.settle();
  write(c, "abc\n");
  stage.settle();
  write(c, "hello world!\n");
  stage.settle();
  stage.print_diagram();
}

void window() {
  Stage::Options options;
  options.apple.stack.tcp.receive_buffer = 4096;
  options.apple.stack.tcp.window_scaling = false;
  Stage stage(options);
  stage.listen(false);
  stage.apple().handler().read = false;
  const Connection c = stage.connect();
  stage.settle();
  stage.note("ant writes 6,000 bytes; apple's application does not read");
  write(c, Stage::text_of(6000));
  stage.run(5s);
  stage.note("apple's application reads");
  stage.apple().handler().read = true;
  stage.apple().handler().read_all(apples(stage));
  stage.settle();
  stage.print_diagram();
}

void close_three() {
  Stage stage;
  stage.listen();
  Connection c = stage.connect();
  stage.settle();
  c.shutdown_send();
  stage.settle();
  stage.print_diagram();
}

void close_four() {
  Stage stage;
  stage.listen();
  stage.apple().handler().close_with_peer = false;
  Connection c = stage.connect();
  stage.settle();
  c.shutdown_send();
  stage.run(1s);
  stage.note("a second later apple closes as well");
  apples(stage).shutdown_send();
  stage.settle();
  stage.print_diagram();
}

void half_close() {
  Stage stage;
  stage.listen();
  stage.apple().handler().close_with_peer = false;
  Connection c = stage.connect();
  stage.settle();
  stage.note("ant has no more to say, and goes on listening");
  c.shutdown_send();
  stage.settle();
  write(apples(stage), "there is more\n");
  stage.settle();
  apples(stage).shutdown_send();
  stage.settle();
  stage.print_diagram();
}

void simultaneous_open() {
  Stage stage;
  (void)stage.ant().stack().connect({.remote = {stage.apple().address(), 6000}, .local_port = 5000},
                                    stage.ant().handler());
  (void)stage.apple().stack().connect({.remote = {stage.ant().address(), 5000}, .local_port = 6000},
                                      stage.apple().handler());
  stage.settle();
  stage.print_diagram();
}

void simultaneous_close() {
  Stage stage;
  stage.listen();
  Connection c = stage.connect();
  stage.settle();
  c.shutdown_send();
  apples(stage).shutdown_send();
  stage.settle();
  stage.print_diagram();
}

void lost_last_ack() {
  Stage stage;
  stage.listen();
  Connection c = stage.connect();
  stage.settle();
  bool fin_seen = false;
  stage.lose_next(true, [&](const Segment& s) {
    return is_fin(s) ? !(fin_seen = true) : fin_seen && is_pure_ack(s);
  });
  c.shutdown_send();
  stage.run(2s);
  stage.note("2 MSL, in which no further FIN comes");
  stage.run_until([&] { return stage.state_of(stage.ant()) == TcpState::kClosed; });
  stage.print_diagram();
}

void old_duplicate() {
  Stage stage;
  stage.listen();
  Connection first = stage.connect();
  stage.settle();
  write(first, "old words\n");
  stage.settle();
  const test::Bytes old = stage.last_frame(true, is_data);
  stage.note("apple closes first, so TIME-WAIT is its");
  apples(stage).shutdown_send();
  stage.run(1s);
  stage.note("ant opens a new connection from the same port: later timestamps (RFC 6191)");
  stage.connect();
  stage.settle();
  stage.deliver_again(old, "a copy of \"old words\", which had lost its way, arrives at apple");
  stage.print_diagram();
  std::printf("apple's application has received %zu bytes on the new connection\n",
              stage.apple().handler().records().back().received.size());
}

void reset() {
  Stage stage;
  stage.note("nobody listens at apple's port");
  stage.connect();
  stage.settle();
  stage.listen();
  Connection c = stage.connect(Stage::kClientPort + 1);
  stage.settle();
  stage.note("ant's application aborts");
  c.abort();
  stage.settle();
  stage.print_diagram();
}

void retransmission() {
  Stage stage;
  stage.listen(false);
  const Connection c = stage.connect();
  stage.settle();
  stage.lose_next(true, is_data, 3);
  write(c, "abc\n");
  stage.run(4s);
  stage.print_diagram();
  std::printf("each time-out is twice the one before (RFC 6298)\n");
}

void fast_retransmit() {
  Stage stage;
  stage.listen(false);
  const Connection c = stage.connect();
  stage.settle();
  int sent = 0;
  stage.lose_next(true, [&](const Segment& s) { return is_data(s) && ++sent == 2; });
  stage.note("ant writes 7 segments of 1,448 bytes; the second is lost");
  write(c, Stage::text_of(7 * 1448));
  stage.settle();
  stage.print_diagram();
}

void lost_syn() {
  Stage stage;
  stage.listen();
  stage.lose_next(true, is_syn);
  stage.lose_next(false, is_syn);
  stage.connect();
  stage.run(5s);
  stage.print_diagram();
}

void print_flood(Stage& stage) {
  const SynFlood flood = stage.apple().stack().syn_flood();
  std::printf("apple: flood %s, half-open %u of %u, cookies sent %llu, accepted %llu\n",
              flood.active ? "yes" : "no", flood.half_open, flood.cache_entries,
              static_cast<unsigned long long>(flood.cookies_sent),
              static_cast<unsigned long long>(flood.cookies_accepted));
}

void print_half_open(Stage& stage, std::size_t lines) {
  std::vector<ConnectionInfo> sockets;
  stage.apple().stack().list(0, 1 + lines, sockets);
  for (const ConnectionInfo& socket : sockets)
    if (socket.state == TcpState::kSynReceived)
      std::printf("SYN-RECV  %s  %s\n", to_string(socket.local).c_str(),
                  to_string(socket.remote).c_str());
  std::printf("...\n");
}

void syn_flood() {
  Stage::Options options;
  options.apple.stack.syn_cache_entries = 256;
  options.apple.stack.gateway = options.ant.stack.address.address;  // where answers go astray
  Stage stage(options);
  stage.listen();
  stage.note("1,000 SYNs in a second, from addresses that are nobody's");
  stage.flood(1000);
  print_flood(stage);
  print_half_open(stage, 4);
  stage.note("and in the middle of it ant");
  Connection c = stage.connect();
  stage.settle();
  write(c, "hello\n");
  stage.settle();
  c.shutdown_send();
  stage.settle();
  stage.print_diagram();
  print_flood(stage);
  stage.run(2min);
  std::printf("two minutes later\n");
  print_flood(stage);
}

}  // namespace

const std::vector<Step>& steps() {
  static const std::vector<Step> kSteps = {
      {"handshake", "the three-way handshake, with its options", handshake},
      {"lost-syn", "a handshake whose SYN and SYN-ACK are lost", lost_syn},
      {"data", "data, sequence numbers and acknowledgements", data},
      {"window", "a window that closes, and probes that double", window},
      {"retransmission", "a segment lost three times: time-outs", retransmission},
      {"fast-retransmit", "a segment lost among others: no time-out", fast_retransmit},
      {"close-four", "four packets to close", close_four},
      {"close-three", "three packets to close", close_three},
      {"half-close", "one direction closed, the other one in use", half_close},
      {"simultaneous-close", "both ends close at once", simultaneous_close},
      {"simultaneous-open", "both ends open at once", simultaneous_open},
      {"time-wait", "TIME-WAIT saves a close whose last ACK is lost", lost_last_ack},
      {"old-duplicate", "an old segment in a new connection", old_duplicate},
      {"reset", "RST: nobody listens, and an abort", reset},
      {"syn-flood", "a SYN flood, and who is served all the same", syn_flood},
  };
  return kSteps;
}

}  // namespace tern::tour
