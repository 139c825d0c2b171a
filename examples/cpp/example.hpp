// What the three programs share: time, and the way to an engine.
#ifndef EXAMPLE_HPP
#define EXAMPLE_HPP

#include <ringwire.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

constexpr std::uint64_t second_ns = 1'000'000'000;

// std::chrono's steady clock is CLOCK_MONOTONIC, as ringwire's times are.
inline std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// A configuration with one endpoint: redis://HOST:PORT, unix:///PATH, or HOST:PORT of a Kafka broker.
inline ringwire::config configured(const std::string &endpoint) {
    const bool is_url = endpoint.find("://") != std::string::npos;
    ringwire::config config;
    config.set(is_url ? "endpoint.main.url" : "endpoint.main.bootstrap.servers", endpoint);
    // So that a debugger or Valgrind sees plain threads that sleep.
    config.set("engine.host", "thread").set("engine.idle", "park");
    return config;
}

// Waits for the connections, or says what is missing.
inline void await_ready(ringwire::engine &engine) {
    if (engine.wait_ready(10 * second_ns)) {
        return;
    }
    for (const auto &endpoint : engine.status()) {
        std::cerr << endpoint.name << " (" << endpoint.address << "): " << endpoint.error << '\n';
    }
    throw std::runtime_error("not ready in time");
}

// Runs a program's body, and says what went wrong.
template <class Body>
int guarded(Body body) {
    try {
        return body();
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}

#endif
