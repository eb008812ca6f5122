#include "cli/line_editor.h"

#include "cli/text.h"

#include <sys/ioctl.h>

#include <unistd.h>
#include <algorithm>
#include <cerrno>

namespace epode::cli {

namespace {

void put(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t bytes = write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (bytes < 0 && errno != EINTR && errno != EAGAIN) return;
        if (bytes > 0) done += static_cast<std::size_t>(bytes);
    }
}

std::size_t terminalColumns() {
    winsize size{};
    const bool isKnown = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return isKnown ? size.ws_col : 80;
}

std::size_t utf8Length(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

// The bytes of the escape sequence at the start of `bytes`; 0 while it is not whole.
std::size_t sequenceLength(const std::string& bytes) {
    if (bytes.size() < 2) return 0;
    if (bytes[1] != '[' && bytes[1] != 'O') return 2;
    for (std::size_t i = 2; i < bytes.size(); ++i) {
        if (bytes[i] >= '@' && bytes[i] <= '~') return i + 1;
    }
    return 0;
}

}  // namespace

LineEditor::LineEditor() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

LineEditor::~LineEditor() {
    put("\r\x1b[K");
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void LineEditor::readKeys() {
    char part[1024];
    const ssize_t bytes = read(STDIN_FILENO, part, sizeof part);
    if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (bytes <= 0) {
        if (onEnd) onEnd();
        return;
    }
    unread_.append(part, static_cast<std::size_t>(bytes));
    while (!unread_.empty()) {
        const bool isSequence = unread_[0] == '\x1b';
        const auto length = isSequence ? sequenceLength(unread_) : utf8Length(unread_[0]);
        if (length == 0 || unread_.size() < length) break;
        const std::string key = unread_.substr(0, length);
        unread_.erase(0, length);
        if (isSequence) {
            handleSequence(key);
        } else {
            handle(key);
        }
    }
    draw();
}

void LineEditor::handle(const std::string& key) {
    switch (key[0]) {
        case '\r':
        case '\n':
            finishLine();
            return;
        case 3:  // Ctrl-C
            if (onEnd) onEnd();
            return;
        case 4:  // Ctrl-D
            if (text_.empty() && onEnd) onEnd();
            return;
        case 1:
            cursor_ = 0;
            return;
        case 5:
            cursor_ = text_.size();
            return;
        case 11:
            text_.resize(cursor_);
            break;
        case 12:
            put("\x1b[H\x1b[2J");
            return;
        case 21:
            text_.erase(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(cursor_));
            cursor_ = 0;
            break;
        case 23:  // Ctrl-W
            while (cursor_ > 0 && text_[cursor_ - 1] == " ")
                text_.erase(text_.begin() + static_cast<std::ptrdiff_t>(--cursor_));
            while (cursor_ > 0 && text_[cursor_ - 1] != " ")
                text_.erase(text_.begin() + static_cast<std::ptrdiff_t>(--cursor_));
            break;
        case 8:
        case 127:
            if (cursor_ == 0) return;
            text_.erase(text_.begin() + static_cast<std::ptrdiff_t>(--cursor_));
            break;
        default:
            if (static_cast<unsigned char>(key[0]) < 0x20 && key[0] != '\t') return;
            if (!fitsInXml(key)) return;
            text_.insert(text_.begin() + static_cast<std::ptrdiff_t>(cursor_++), key);
    }
    changed();
}

void LineEditor::handleSequence(const std::string& sequence) {
    const std::string name = sequence.substr(2);
    if (name == "D" && cursor_ > 0) --cursor_;
    if (name == "C" && cursor_ < text_.size()) ++cursor_;
    if (name == "H" || name == "1~") cursor_ = 0;
    if (name == "F" || name == "4~") cursor_ = text_.size();
    if (name == "A") recall(-1);
    if (name == "B") recall(+1);
    if (name == "3~" && cursor_ < text_.size()) {
        text_.erase(text_.begin() + static_cast<std::ptrdiff_t>(cursor_));
        changed();
    }
}

void LineEditor::finishLine() {
    std::string line;
    for (const auto& character : text_) line += character;
    text_.clear();
    cursor_ = 0;
    if (!line.empty() && (history_.empty() || history_.back() != line)) history_.push_back(line);
    recalled_ = history_.size();
    draw();
    if (onLine) onLine(line);
}

void LineEditor::recall(int step) {
    if ((step < 0 && recalled_ == 0) || (step > 0 && recalled_ >= history_.size())) return;
    recalled_ = step < 0 ? recalled_ - 1 : recalled_ + 1;
    replaceText(recalled_ < history_.size() ? history_[recalled_] : "");
}

void LineEditor::replaceText(const std::string& text) {
    text_.clear();
    for (std::size_t at = 0; at < text.size();) {
        const auto length = utf8Length(text[at]);
        text_.push_back(text.substr(at, length));
        at += length;
    }
    cursor_ = text_.size();
}

void LineEditor::changed() {
    if (onTyping) onTyping();
}

void LineEditor::print(const std::string& line) {
    std::string shown;
    for (const char c : line) {
        if (c == '\n') shown += '\r';
        shown += c;
    }
    put("\r\x1b[K" + shown + "\r\n");
    draw();
}

void LineEditor::setPrompt(const std::string& prompt) {
    if (prompt == prompt_) return;
    prompt_ = prompt;
    draw();
}

// A text longer than the line is shown from where the cursor still fits.
void LineEditor::draw() const {
    const std::size_t room = std::max<std::size_t>(terminalColumns(), 20) - 1;
    const std::size_t used = widthOf(prompt_);
    const std::size_t space = room > used + 8 ? room - used : 8;
    std::size_t first = cursor_;
    for (std::size_t columns = 0; first > 0; --first) {
        columns += widthOf(text_[first - 1]);
        if (columns > space) break;
    }
    std::string shown;
    std::size_t columns = 0;
    std::size_t cursorColumn = used;
    for (std::size_t i = first; i < text_.size(); ++i) {
        const auto width = text_[i] == "\t" ? 1 : widthOf(text_[i]);
        if (columns + width > space) break;
        columns += width;
        shown += text_[i] == "\t" ? " " : text_[i];
        if (i < cursor_) cursorColumn += width;
    }
    put("\r\x1b[K" + prompt_ + shown + "\r" +
        (cursorColumn ? "\x1b[" + std::to_string(cursorColumn) + "C" : ""));
}

}  // namespace epode::cli
