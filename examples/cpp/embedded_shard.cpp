// One thread does everything: the application's own loop drives the shard, and the library starts no thread
// (but to look up a host name: give an IP address or a Unix path).
//
//   embedded_shard ENDPOINT COUNT
#include "example.hpp"

#include <algorithm>
#include <array>

#include <poll.h>

namespace {

// Sleeps until a socket has something, somebody publishes, or the shard's next deadline.
void sleep_until_due(ringwire::shard &shard) {
    const std::uint64_t now = now_ns();
    const std::uint64_t deadline_ns = std::min(shard.next_deadline(), now + second_ns);
    const std::uint64_t left_ns = deadline_ns > now ? deadline_ns - now : 0;
    pollfd descriptor{};
    descriptor.fd = shard.fd();
    descriptor.events = POLLIN;
    poll(&descriptor, 1, static_cast<int>((left_ns + 999'999) / 1'000'000));
}

int run(const std::string &endpoint, std::uint64_t count) {
    ringwire::engine engine(configured(endpoint).host_driven());
    auto shard = engine.take_shard();
    const auto quotes = engine.channel("fx.embedded");
    auto [publisher, reports] = engine.publisher();
    auto subscriber = engine.subscriber();
    subscriber.subscribe("fx.embedded");
    ringwire::check(shard.fd());

    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    std::uint64_t reported = 0;
    std::uint64_t received = 0;
    bool is_ready = false;
    const std::uint64_t give_up_ns = now_ns() + 60 * second_ns;
    while ((reported < count || received < count) && now_ns() < give_up_ns) {
        std::array<rw_report, 64> outcomes;
        std::array<rw_event, 64> events;
        bool has_worked = ringwire::check(shard.poll()) == 1;
        is_ready = is_ready || engine.wait_ready(0);
        for (int burst = 0; is_ready && sent < count && burst < 64; ++burst) {
            // In place: what is not committed is aborted.
            constexpr std::string_view quote = "1.12120,1.12172";
            ringwire::claim room;
            if (publisher.try_claim(quotes, quote.size(), room) != RW_OK) {
                break;
            }
            std::copy(quote.begin(), quote.end(), static_cast<char *>(room.data()));
            room.commit();
            ++sent;
            has_worked = true;
        }
        const int polled = ringwire::check(reports.poll(outcomes.data(), outcomes.size()));
        for (int index = 0; index < polled; ++index) {
            ++reported;
            delivered += outcomes[static_cast<std::size_t>(index)].outcome == RW_DELIVERED;
        }
        const int taken = ringwire::check(subscriber.poll(events.data(), events.size()));
        for (int index = 0; index < taken; ++index) {
            received += events[static_cast<std::size_t>(index)].kind == RW_EVENT_MESSAGE;
        }
        if (!has_worked && polled == 0 && taken == 0) {
            sleep_until_due(shard);
        }
    }
    std::cout << "published " << sent << ", delivered " << delivered << ", received " << received << '\n';

    // It only begins: the shard ends when it has answered for everything.
    engine.shutdown(second_ns);
    while (shard.poll() != RW_CLOSED) {
    }
    return delivered == count && received == count ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: embedded_shard ENDPOINT COUNT\n";
        return 2;
    }
    return guarded([&] { return run(argv[1], std::stoull(argv[2])); });
}
