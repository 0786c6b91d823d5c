// SPDX-License-Identifier: BSD-3-Clause
#include "common/host_interface.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

namespace app {

namespace {

sockaddr socket_address(std::uint32_t host_order) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(host_order);
  sockaddr out;
  static_assert(sizeof in == sizeof out);
  std::memcpy(&out, &in, sizeof out);
  return out;
}

ifreq request_for(const std::string& tap) {
  ifreq request{};
  tap.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

// ifconfig's ioctls; false leaves errno. So below.
bool bring_up(int socket, const std::string& tap) {
  ifreq request = request_for(tap);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

bool add_address(int socket, const std::string& tap, const tern::Ipv4Prefix& address) {
  ifreq request = request_for(tap);
  request.ifr_addr = socket_address(address.address.value());
  if (::ioctl(socket, SIOCSIFADDR, &request) != 0) return false;
  request.ifr_netmask = socket_address(address.mask());
  return ::ioctl(socket, SIOCSIFNETMASK, &request) == 0;
}

// Linux's struct in6_ifreq, whose header cannot be had together with the C library's.
struct In6Request {
  in6_addr address;
  std::uint32_t prefix_length;
  int interface;
};

bool add_address(int socket, const std::string& tap, const tern::Ipv6Prefix& address) {
  ifreq named = request_for(tap);
  if (::ioctl(socket, SIOCGIFINDEX, &named) != 0) return false;
  In6Request request{{}, address.length, named.ifr_ifindex};
  std::memcpy(&request.address, address.address.octets().data(), sizeof request.address);
  return ::ioctl(socket, SIOCSIFADDR, &request) == 0;
}

template <class Step>
bool with_socket(int family, Step&& step) {
  const int socket = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool done = step(socket);
  const int error = errno;
  ::close(socket);
  errno = error;
  return done;
}

// Where /proc/sys is read-only (a container), the host is as its operator has set it.
void set_if_possible(const std::string& path, char value) { std::ofstream(path) << value << '\n'; }

void set_ipv6(const std::string& tap, std::string_view name, char value) {
  set_if_possible(fmt::format("/proc/sys/net/ipv6/conf/{}/{}", tap, name), value);
}

// An interface's own switch is looked at only if the host forwards at all, which is the operator's
// to say; Linux 6.17 has one that needs no such word.
bool forward_ipv6(const std::string& tap) {
  set_ipv6(tap, "forwarding", '1');
  set_ipv6(tap, "force_forwarding", '1');
  const auto is_on = [](const std::string& device, const char* name) {
    char value = '0';
    std::ifstream(fmt::format("/proc/sys/net/ipv6/conf/{}/{}", device, name)) >> value;
    return value == '1';
  };
  return is_on("all", "forwarding") || is_on(tap, "force_forwarding");
}

bool configure(const std::string& tap, const CommonOptions& options) {
  set_ipv6(tap, "disable_ipv6", options.host_ip6 ? '0' : '1');
  // Nobody else can have the address: the device is new, and we are its other end.
  if (options.host_ip6) set_ipv6(tap, "accept_dad", '0');
  const bool v4 = with_socket(AF_INET, [&](int socket) {
    return (!options.host_ip || add_address(socket, tap, *options.host_ip)) &&
           bring_up(socket, tap);
  });
  return v4 && (!options.host_ip6 || with_socket(AF_INET6, [&](int socket) {
           return add_address(socket, tap, *options.host_ip6);
         }));
}

absl::Status set_up_host(const CommonOptions& options) {
  if (!options.host_ip && !options.host_ip6) return absl::OkStatus();
  const std::string& tap = options.runtime.tap_name;
  if (!configure(tap, options))
    return absl::InternalError(fmt::format(
        "this host's end of {} cannot be given an address ({}): leave out --host-ip and do it by "
        "hand with ip address add",
        tap, std::strerror(errno)));
  set_if_possible("/proc/sys/net/ipv4/conf/" + tap + "/forwarding", '1');
  if (options.host_ip6 && !forward_ipv6(tap) && options.runtime.log)
    options.runtime.log(tern::LogLevel::kWarning,
                        "this host does not forward IPv6: to reach other networks through it, "
                        "sysctl -w net.ipv6.conf.all.forwarding=1");
  return absl::OkStatus();
}

template <class Prefix>
absl::Status check_host_address(std::string_view family, const Prefix& host, const Prefix& own) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format(
        "--host-ip{} {}/{} {} {}/{}, this program's --ip{}", family, to_string(host.address),
        host.length, why, to_string(own.address), own.length, family));
  };
  if (host.address == own.address) return refuse("must not be the address of");
  return own.contains(host.address) ? absl::OkStatus() : refuse("is not in the subnet of");
}

absl::Status check_host_addresses(const CommonOptions& options) {
  const tern::StackConfig& stack = options.runtime.stack;
  if (options.host_ip)
    if (absl::Status status = check_host_address("", *options.host_ip, stack.address); !status.ok())
      return status;
  if (!options.host_ip6) return absl::OkStatus();
  if (!stack.ip6) return absl::InvalidArgumentError("--host-ip6 needs --ip6, this program's own");
  return check_host_address("6", *options.host_ip6, *stack.ip6);
}

}  // namespace

absl::StatusOr<std::unique_ptr<tern::Runtime>> create_runtime(const CommonOptions& options) {
  if (absl::Status status = check_host_addresses(options); !status.ok()) return status;
  auto runtime = tern::Runtime::create(options.runtime);
  if (!runtime.ok()) return runtime;
  if (absl::Status status = set_up_host(options); !status.ok()) return status;
  return runtime;
}

}  // namespace app
