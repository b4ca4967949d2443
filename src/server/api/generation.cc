#include "server/api/generation.h"

namespace gemma3n::server {

int HttpStatusOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return 200;
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:  // a medium
    case StatusCode::kCorruptFile:
    case StatusCode::kUnsupported:
    case StatusCode::kOutOfRange:
      return 400;
    case StatusCode::kResourceExhausted:
    case StatusCode::kCancelled:  // the server goes down
      return 503;
    case StatusCode::kIo:
    case StatusCode::kInternal:
      return 500;
  }
  return 500;
}

}  // namespace gemma3n::server
