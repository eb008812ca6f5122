#include "admin/tool.h"

int main(int count, char** arguments) {
    return epode::admin::run({arguments + 1, arguments + count});
}
