// Questions to the one who sits at the terminal, and files they name.
#pragma once

#include <optional>
#include <string>

namespace epode::admin {

bool inputIsTerminal();
bool outputIsTerminal();
bool errorsAreTerminal();

// Asks without echo. Nothing when there is no terminal or it was cancelled (^C, ^D).
std::optional<std::string> askSecret(const std::string& question);

// Asks for y or n; anything else is no.
bool askYes(const std::string& question);

// The first line; nothing at the end of the input.
std::optional<std::string> readInputLine();

// Throw std::runtime_error with a sentence. "-" is standard input.
std::string readWholeFile(const std::string& path);
std::string readFirstLine(const std::string& path);

}  // namespace epode::admin
