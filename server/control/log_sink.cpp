#include "control/log_sink.h"

#include "core/metric.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace epode {

namespace {

Counter droppedLines{"epode_log_lines_dropped_total",
                     "Log lines that were not written because the target was too slow or full"};

// systemd tells device and inode of the journal's socket, for the case that output was redirected.
bool isJournal(int descriptor) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    if (!stream || fstat(descriptor, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

WallTime systemTime() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

}  // namespace

LogTarget logTarget(const std::string& target, const std::string& format) {
    LogTarget result;
    if (format == "json") result.style.format = LogFormat::Json;
    if (target == "stdout" || target == "stderr" || target == "journald") {
        result.descriptor = target == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
        if (target == "journald" || isJournal(result.descriptor)) {
            result.style.journal = Journal::Yes;
        } else if (isatty(result.descriptor) && !std::getenv("NO_COLOR")) {
            result.style.colour = Colour::On;
        }
    } else {
        result.path = target;
    }
    return result;
}

LogWriter::LogWriter(LogTarget target, std::size_t bytesMax, std::function<WallTime()> clock)
    : target_{std::move(target)},
      bytesMax_{bytesMax},
      clock_{clock ? std::move(clock) : systemTime} {
    openFile();
    // Signals are for the main thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread{[this] { run(); }};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
    {
        const std::lock_guard lock{mutex_};
        isStopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
    if (!target_.path.empty() && descriptor_ >= 0) close(descriptor_);
}

void LogWriter::openFile() {
    if (target_.path.empty()) {
        descriptor_ = target_.descriptor;
        return;
    }
    const int opened =
        open(target_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (opened < 0) {
        throw std::system_error{errno, std::generic_category(),
                                "the log file " + target_.path + " cannot be opened"};
    }
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = opened;
}

void LogWriter::write(const LogLine& line) {
    // Formatted outside of the lock, into memory that the thread keeps for its next line.
    thread_local std::string text;
    text.clear();
    formatLogLine(text, line, clock_(), target_.style);
    {
        const std::lock_guard lock{mutex_};
        if (queue_.size() + text.size() > bytesMax_) {
            ++droppedSinceTold_;
            ++droppedTotal_;
            droppedLines.add();
            return;
        }
        queue_ += text;
        queuedTotal_ += text.size();
    }
    wake_.notify_one();
}

void LogWriter::flush() {
    std::unique_lock lock{mutex_};
    const auto goal = queuedTotal_;
    written_.wait(lock, [&] { return writtenTotal_ >= goal; });
}

void LogWriter::reopen() {
    {
        const std::lock_guard lock{mutex_};
        isReopening_ = true;
    }
    wake_.notify_one();
}

std::uint64_t LogWriter::dropped() const {
    const std::lock_guard lock{mutex_};
    return droppedTotal_;
}

void LogWriter::run() {
    std::string writing;
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [&] { return !queue_.empty() || isReopening_ || isStopping_; });
        if (queue_.empty() && isStopping_) return;
        const bool reopens = std::exchange(isReopening_, false);
        writing.swap(queue_);
        const auto bytes = writing.size();
        if (const auto lost = std::exchange(droppedSinceTold_, std::uint64_t{0}); lost > 0) {
            const std::initializer_list<LogField> fields{{"lines", lost}};
            formatLogLine(writing, {LogLevel::Warning, "log", "lines were lost", fields}, clock_(),
                          target_.style);
        }
        lock.unlock();
        // What was queued before the rotation goes to the old file.
        writeOut(writing);
        writing.clear();
        if (reopens) {
            try {
                openFile();
            } catch (const std::system_error&) {
                // The old file is better than none.
            }
        }
        lock.lock();
        writtenTotal_ += bytes;
        written_.notify_all();
    }
}

void LogWriter::writeOut(const std::string& text) {
    std::string_view rest{text};
    while (!rest.empty()) {
        const auto wrote = ::write(descriptor_, rest.data(), rest.size());
        if (wrote > 0) {
            rest.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (errno == EAGAIN) {
            // Somebody made the terminal or pipe that we share non-blocking.
            pollfd waiting{descriptor_, POLLOUT, 0};
            poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            // Disk full, reader gone: these lines are lost, the next may find room again.
            const std::lock_guard lock{mutex_};
            for (const char letter : rest) {
                if (letter != '\n') continue;
                ++droppedSinceTold_;
                ++droppedTotal_;
                droppedLines.add();
            }
            return;
        }
    }
}

LogInstallation::LogInstallation(LogTarget target)
    : writer_{std::make_shared<LogWriter>(std::move(target))} {
    setLogSink([writer = writer_](const LogLine& line) { writer->write(line); });
}

LogInstallation::~LogInstallation() {
    setLogSink({});
    writer_->flush();
}

}  // namespace epode
