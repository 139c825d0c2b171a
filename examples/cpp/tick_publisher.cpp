// Replays quotes, and prints what publishing costs its caller and what became of every message.
//
//   tick_publisher ENDPOINT FILE COUNT RATE      RATE in messages a second; 0 is as fast as it goes
//   tick_publisher redis://127.0.0.1:6390 bench/data/eurusd-quotes.csv 100000 20000
#include "example.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

namespace {

std::vector<std::string> read_lines(const std::string &path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(std::move(line));
    }
    if (lines.empty()) {
        throw std::runtime_error(path + ": no lines");
    }
    return lines;
}

// Outcomes by their number: delivered, not sent, unknown.
using outcomes = std::array<std::uint64_t, 3>;

std::uint64_t take(ringwire::reports &reports, outcomes &counts) {
    std::array<rw_report, 64> array;
    const int polled = reports.poll(array.data(), array.size());
    for (int index = 0; index < polled; ++index) {
        ++counts[array[static_cast<std::size_t>(index)].outcome];
    }
    return polled > 0 ? static_cast<std::uint64_t>(polled) : 0;
}

int run(const std::string &endpoint, const std::string &path, std::uint64_t count, std::uint64_t rate) {
    const auto lines = read_lines(path);
    std::vector<std::uint64_t> cost_ns(count);
    outcomes counts{};
    std::uint64_t reported = 0;
    std::uint64_t refused = 0;

    ringwire::engine engine(configured(endpoint));
    const auto quotes = engine.channel("fx.eurusd");
    auto [publisher, reports] = engine.publisher();
    await_ready(engine);

    const std::uint64_t begin_ns = now_ns();
    for (std::uint64_t sent = 0; sent < count;) {
        const std::string &line = lines[sent % lines.size()];
        const std::uint64_t due_ns = rate == 0 ? 0 : begin_ns + sent * second_ns / rate;
        while (now_ns() < due_ns) {
            reported += take(reports, counts);
        }
        const std::uint64_t before_ns = now_ns();
        const int answer = publisher.publish(quotes, line);
        cost_ns[sent] = now_ns() - before_ns;
        if (answer == RW_BACK_PRESSURED || answer == RW_REPORTS_FULL) {
            // An ordinary answer: nobody has the message, so it is published again.
            ++refused;
            reported += take(reports, counts);
            publisher.wait_writable(quotes, line.size(), second_ns / 1000);
            continue;
        }
        ringwire::check(answer);
        ++sent;
    }
    while (reported < count && reports.wait(10 * second_ns) == 1) {
        reported += take(reports, counts);
    }

    std::sort(cost_ns.begin(), cost_ns.end());
    std::cout << count << " messages in " << static_cast<double>(now_ns() - begin_ns) / 1e9
              << " s; refused meanwhile: " << refused << '\n';
    for (const double quantile : {0.5, 0.9, 0.99, 0.999, 1.0}) {
        if (count > 0) {
            const auto at = static_cast<std::size_t>(quantile * static_cast<double>(count - 1));
            std::cout << "cost of a call, p" << quantile * 100 << ": " << cost_ns[at] << " ns\n";
        }
    }
    std::cout << "delivered " << counts[RW_DELIVERED] << ", not sent " << counts[RW_NOT_SENT] << ", unknown "
              << counts[RW_UNKNOWN] << '\n';
    engine.shutdown(second_ns);
    return counts[RW_DELIVERED] == count ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 5) {
        std::cerr << "usage: tick_publisher ENDPOINT FILE COUNT RATE\n";
        return 2;
    }
    return guarded([&] { return run(argv[1], argv[2], std::stoull(argv[3]), std::stoull(argv[4])); });
}
