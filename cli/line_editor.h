// A line of typing at the bottom of a terminal, below a text that goes on: nothing more than chat
// needs. Keys as people expect them: arrows, Home and End, Ctrl-A E U W K L, history by Up and
// Down.
#pragma once

#include <termios.h>
#include <functional>
#include <string>
#include <vector>

namespace epode::cli {

class LineEditor {
public:
    // Takes over the terminal of standard input until it is destroyed.
    LineEditor();
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    std::function<void(const std::string&)> onLine;
    std::function<void()> onEnd;     // Ctrl-D on an empty line, Ctrl-C, or the end of the terminal
    std::function<void()> onTyping;  // the text has changed

    // Reads keys; call it when standard input is readable.
    void readKeys();
    // Prints a line of the conversation above the typing.
    void print(const std::string& line);
    void setPrompt(const std::string& prompt);
    bool isEmpty() const { return text_.empty(); }

private:
    void handle(const std::string& key);
    void handleSequence(const std::string& sequence);
    void finishLine();
    void recall(int step);
    void replaceText(const std::string& text);
    void changed();
    void draw() const;

    termios before_{};
    std::string prompt_;
    std::vector<std::string> text_;  // characters, each in UTF-8
    std::size_t cursor_ = 0;
    std::string unread_;
    std::vector<std::string> history_;
    std::size_t recalled_ = 0;
};

}  // namespace epode::cli
