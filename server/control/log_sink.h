// The real place where logs go: a thread writes them, so that a slow disk or a stopped terminal
// never blocks a loop. The queue is bounded; what does not fit is counted and told once there is
// room.
#pragma once

#include "control/log_format.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace epode {

struct LogTarget {
    std::string path;  // empty: `descriptor`, which is not closed
    int descriptor = 1;
    LogStyle style;
};

// Understands log.target and log.format: "stdout", "stderr", "journald" or a path. Standard output
// that is connected to the journal ($JOURNAL_STREAM) gets priorities by itself, a terminal colours.
LogTarget logTarget(const std::string& target, const std::string& format);

class LogWriter {
public:
    static constexpr std::size_t queueBytesMax = 4u << 20;

    // Throws std::system_error when the file cannot be opened.
    explicit LogWriter(LogTarget target, std::size_t bytesMax = queueBytesMax,
                       std::function<WallTime()> clock = {});
    // Writes what is queued.
    ~LogWriter();
    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    // From any thread; waits for nothing but a short lock.
    void write(const LogLine& line);

    // Returns when all that was written before has reached the target, or cannot.
    void flush();

    // Opens the file anew (log rotation); for a descriptor does nothing.
    void reopen();

    std::uint64_t dropped() const;

private:
    void run();
    void writeOut(const std::string& text);
    void openFile();

    const LogTarget target_;
    const std::size_t bytesMax_;
    const std::function<WallTime()> clock_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;     // the thread: there is work
    std::condition_variable written_;  // flush: there is none any more
    std::string queue_;
    std::uint64_t queuedTotal_ = 0, writtenTotal_ = 0;  // bytes
    std::uint64_t droppedSinceTold_ = 0, droppedTotal_ = 0;
    bool isReopening_ = false, isStopping_ = false;

    int descriptor_ = -1;  // the thread's own
    std::thread thread_;
};

// Makes `writer` the sink of all logs for as long as it lives.
class LogInstallation {
public:
    explicit LogInstallation(LogTarget target);
    ~LogInstallation();
    LogInstallation(const LogInstallation&) = delete;
    LogInstallation& operator=(const LogInstallation&) = delete;
    LogWriter& writer() { return *writer_; }

private:
    std::shared_ptr<LogWriter> writer_;  // the sink, which other threads may be in, owns it as well
};

}  // namespace epode
