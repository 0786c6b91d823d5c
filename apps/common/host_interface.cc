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

// The three ioctls of ifconfig; false leaves errno.
bool configure(int socket, const std::string& tap, const tern::Ipv4Prefix& address) {
  ifreq request{};
  tap.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_addr = socket_address(address.address.value());
  if (::ioctl(socket, SIOCSIFADDR, &request) != 0) return false;
  request.ifr_netmask = socket_address(address.mask());
  if (::ioctl(socket, SIOCSIFNETMASK, &request) != 0) return false;
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

// Where /proc/sys is read-only (a container), the host is as its operator has set it.
void set_if_possible(const std::string& path, char value) { std::ofstream(path) << value << '\n'; }

}  // namespace

absl::Status configure_host_interface(const std::string& tap, const tern::Ipv4Prefix& address) {
  set_if_possible("/proc/sys/net/ipv6/conf/" + tap + "/disable_ipv6", '1');
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool done = socket >= 0 && configure(socket, tap, address);
  const int error = errno;
  if (socket >= 0) ::close(socket);
  if (!done)
    return absl::InternalError(fmt::format(
        "this host's end of {} cannot be given an address ({}): leave out --host-ip and do it by "
        "hand with ip address add",
        tap, std::strerror(error)));
  set_if_possible("/proc/sys/net/ipv4/conf/" + tap + "/forwarding", '1');
  return absl::OkStatus();
}

}  // namespace app
