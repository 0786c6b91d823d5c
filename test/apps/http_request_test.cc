// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <string>

#include "request.h"

namespace http {
namespace {

using Kind = ParseResult::Kind;

// Answers the status of the refusal, 0 if it is none.
int refusal(std::string_view bytes) {
  Request request;
  const ParseResult result = parse_request(bytes, request);
  return result.kind == Kind::kBad ? result.status : 0;
}

TEST(HttpRequest, ReadsACompleteHeadAndNoFurther) {
  const std::string first = "GET /a/b.html HTTP/1.1\r\nHost: x\r\n\r\n";
  Request request;
  const std::string bytes = first + "GET /next";  // the request views it
  const ParseResult result = parse_request(bytes, request);
  EXPECT_EQ(result.kind, Kind::kComplete);
  EXPECT_EQ(result.head_bytes, first.size());
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/a/b.html");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.body_bytes, 0u);
}

TEST(HttpRequest, EveryPrefixNeedsMore) {
  const std::string whole = "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Request request;
    EXPECT_EQ(parse_request(whole.substr(0, size), request).kind, Kind::kNeedMore) << size;
  }
}

TEST(HttpRequest, StaysOrLeavesAsTheVersionAndTheFieldSay) {
  const auto stays = [](std::string head) {
    Request request;
    EXPECT_EQ(parse_request(head + "\r\n", request).kind, Kind::kComplete) << head;
    return request.keep_alive;
  };
  EXPECT_TRUE(stays("GET / HTTP/1.1\r\nHost: x\r\n"));
  EXPECT_FALSE(stays("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n"));
  EXPECT_FALSE(stays("GET / HTTP/1.0\r\n"));
  EXPECT_TRUE(stays("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n"));
}

TEST(HttpRequest, DecodesThePathAndDropsTheQuery) {
  Request request;
  ASSERT_EQ(parse_request("GET /a%20b%2fc?d=/e HTTP/1.0\r\n\r\n", request).kind, Kind::kComplete);
  EXPECT_EQ(request.path, "/a b/c");
  ASSERT_EQ(parse_request("GET http://host:80/x HTTP/1.0\r\n\r\n", request).kind, Kind::kComplete);
  EXPECT_EQ(request.path, "/x");
  ASSERT_EQ(parse_request("GET http://host HTTP/1.0\r\n\r\n", request).kind, Kind::kComplete);
  EXPECT_EQ(request.path, "/");
}

TEST(HttpRequest, SaysHowLongTheBodyIs) {
  Request request;
  ASSERT_EQ(parse_request("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n", request).kind,
            Kind::kComplete);
  EXPECT_EQ(request.body_bytes, 18u);
}

TEST(HttpRequest, ALoneLineFeedEndsALineAndEmptyLinesMayComeFirst) {
  Request request;
  EXPECT_EQ(parse_request("\r\n\nGET / HTTP/1.1\nHost: x\n\n", request).kind, Kind::kComplete);
}

TEST(HttpRequest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(refusal("GET /\r\n\r\n"), 400);
  EXPECT_EQ(refusal("G(T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET x HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), 400) << "HTTP/1.1 needs a Host";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400) << "RFC 9112 5.1";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"), 400) << "RFC 9112 5.2";
}

TEST(HttpRequest, RefusesWhatCouldSmuggleARequest) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
            400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\n\r\n"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
}

TEST(HttpRequest, RefusesAHeadThatDoesNotEnd) {
  const std::string endless = "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(kMaxHead, 'x');
  EXPECT_EQ(refusal(endless), 431);
  EXPECT_EQ(refusal(endless + "\r\n\r\n"), 431);
}

}  // namespace
}  // namespace http
