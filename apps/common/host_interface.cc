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
  if (options.host_ip6) set_ipv6(tap, "forwarding", '1');
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<tern::Runtime>> create_runtime(const CommonOptions& options) {
  auto runtime = tern::Runtime::create(options.runtime);
  if (!runtime.ok()) return runtime;
  if (absl::Status status = set_up_host(options); !status.ok()) return status;
  return runtime;
}

}  // namespace app
