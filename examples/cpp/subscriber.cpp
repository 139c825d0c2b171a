// Receives messages, in a loop that polls or in one that sleeps in epoll.
//
//   subscriber ENDPOINT PATTERN COUNT poll|epoll
//   subscriber redis://127.0.0.1:6390 'fx.*' 100000 epoll
#include "example.hpp"

#include <array>
#include <string_view>

#include <sys/epoll.h>
#include <unistd.h>

namespace {

constexpr int timeout_ms = 20'000;

struct tally {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t gaps = 0;
};

// Takes what there is. Answers whether that was anything.
bool take(ringwire::subscriber &subscriber, tally &tally) {
    std::array<rw_event, 64> events;
    const int count = ringwire::check(subscriber.poll(events.data(), events.size()));
    for (int index = 0; index < count; ++index) {
        const rw_event &event = events[static_cast<std::size_t>(index)];
        switch (event.kind) {
        case RW_EVENT_MESSAGE:
            ++tally.messages;
            tally.bytes += ringwire::payload_of(event).size();
            break;
        case RW_EVENT_SUBSCRIBED:
            std::cout << "subscribed" << std::endl;
            break;
        case RW_EVENT_GAP:
            ++tally.gaps;
            break;
        default:
            throw std::runtime_error("refused: " + std::string(ringwire::payload_of(event)));
        }
    }
    return count > 0;
}

void poll_until(ringwire::subscriber &subscriber, tally &tally, std::uint64_t count) {
    // Spinning on poll alone would be the fastest; this sleeps when there is nothing.
    while (tally.messages < count) {
        if (!take(subscriber, tally) && subscriber.wait(std::uint64_t{timeout_ms} * 1'000'000) != 1) {
            return;
        }
    }
}

void epoll_until(ringwire::subscriber &subscriber, tally &tally, std::uint64_t count) {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, subscriber.fd(), &event) != 0) {
        throw std::runtime_error("epoll is refused");
    }
    for (;;) {
        // A poll that finds nothing asks to be rung: until then, no waiting.
        while (take(subscriber, tally)) {
        }
        if (tally.messages >= count || epoll_wait(epoll, &event, 1, timeout_ms) == 0) {
            break;
        }
    }
    close(epoll);
}

int run(const std::string &endpoint, std::string_view pattern, std::uint64_t count, std::string_view way) {
    ringwire::engine engine(configured(endpoint));
    auto subscriber = engine.subscriber();
    subscriber.subscribe_pattern(pattern);
    await_ready(engine);
    tally tally;
    if (way == "epoll") {
        epoll_until(subscriber, tally, count);
    } else {
        poll_until(subscriber, tally, count);
    }
    std::cout << "received " << tally.messages << " messages, " << tally.bytes << " bytes, " << tally.gaps << " gaps\n";
    engine.shutdown(0);
    return tally.messages >= count && tally.gaps == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 5) {
        std::cerr << "usage: subscriber ENDPOINT PATTERN COUNT poll|epoll\n";
        return 2;
    }
    return guarded([&] { return run(argv[1], argv[2], std::stoull(argv[3]), argv[4]); });
}
