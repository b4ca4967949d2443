#include "server/api/audio.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "server/api/language_names.h"
#include "tests/unit/server/api_fixture.h"

namespace gemma3n::server {
namespace {

using ::testing::HasSubstr;

// 16-bit mono sound of 16 kHz: half a second of noise, half a second of silence, and so on.
std::string Wav(int seconds) {
  std::string samples;
  uint32_t noise = 1;
  for (int i = 0; i < seconds * 16000; ++i) {
    noise = noise * 1664525 + 1013904223;
    const int16_t value = i / 8000 % 2 == 0 ? static_cast<int16_t>(noise >> 20) : 0;
    samples.append(reinterpret_cast<const char*>(&value), 2);
  }
  const auto number = [](uint32_t value, int bytes) {
    return std::string(reinterpret_cast<const char*>(&value), static_cast<size_t>(bytes));
  };
  return "RIFF" + number(36 + samples.size(), 4) + "WAVEfmt " + number(16, 4) + number(1, 2) +
         number(1, 2) + number(16000, 4) + number(32000, 4) + number(2, 2) + number(16, 2) +
         "data" + number(samples.size(), 4) + samples;
}

// Answers each clip with what the test says, from a thread of its own, the later clips first.
class ClipGenerator : public Generator {
 public:
  ~ClipGenerator() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void Run(Generation g, std::shared_ptr<Exchange> exchange, std::shared_ptr<Sink> s) override {
    const std::lock_guard lock(mutex_);
    const int index = static_cast<int>(asked.size());
    exchange->OnGone([this] { ++cancelled; });
    exchange->OnBehind([](bool) {});
    asked.push_back(std::move(g));
    if (hang) {
      hanging.push_back(std::move(s));
      return;
    }
    if (refuse.contains(index)) {
      return s->OnError(429, Status(StatusCode::kResourceExhausted, "full"));
    }
    threads_.emplace_back([this, index, sink = std::move(s)] {
      std::this_thread::sleep_for(std::chrono::milliseconds(index % 2 == 0 ? 40 : 1));
      if (index == fail_at) return sink->OnError(503, Status(StatusCode::kCancelled, "broken"));
      sink->OnStart(100);
      const std::string words = " clip" + std::to_string(index);
      AnswerEnd end = FakeEnd();
      sink->OnToken(0, FakeToken(7, words.substr(0, 3)).event());
      sink->OnToken(0, FakeToken(8, words.substr(3)).event());
      end.outcome.result.tokens = {7, 8};
      end.outcome.result.logprobs = {{7, -1.0f}, {8, -2.0f}};
      sink->OnEnd(0, std::move(end));
      sink->OnFinish({.prompt_tokens = 100, .cached_tokens = 0, .completion_tokens = 2});
    });
  }
  Result<Prompt> ReadPrompt(Generation) override { return Prompt(); }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return asked.size();
  }

  std::vector<Generation> asked;
  std::vector<std::shared_ptr<Sink>> hanging;
  bool hang = false;
  int fail_at = -1;
  std::set<int> refuse;  // by a full queue: these calls
  std::atomic<int> cancelled = 0;

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

// An answer that comes from another thread.
class WaitingExchange : public FakeExchange {
 public:
  using FakeExchange::FakeExchange;
  void Respond(int status, std::string type, std::string text, Headers more) override {
    FakeExchange::Respond(status, std::move(type), std::move(text), std::move(more));
    End();
  }
  void Finish() override {
    FakeExchange::Finish();
    End();
  }
  void OnGone(std::function<void()> f) override {
    const std::lock_guard lock(mutex_);
    FakeExchange::OnGone(std::move(f));
  }
  bool Wait(int seconds = 20) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(seconds), [&] { return ended_; });
  }

 private:
  void End() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
};

class AudioTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiContext context = Context();
    context.generator = &clips_;
    AddAudioRoutes(router_, context, pool_);
  }
  void TearDown() override { pool_.Stop(); }

  using Form = std::vector<std::pair<std::string, std::string>>;

  std::shared_ptr<WaitingExchange> Start(const std::string& file, const Form& form,
                                         const std::string& path) {
    HttpRequest request;
    request.headers["content-type"] = "multipart/form-data; boundary=XyZ";
    const auto add = [&](const std::string& header, const std::string& content) {
      request.body +=
          "--XyZ\r\nContent-Disposition: form-data; name=" + header + "\r\n\r\n" + content + "\r\n";
    };
    if (!file.empty()) add("\"file\"; filename=\"talk.wav\"", file);
    for (const auto& [name, value] : form) add("\"" + name + "\"", value);
    request.body += "--XyZ--\r\n";
    auto exchange = std::make_shared<WaitingExchange>(std::move(request));
    (*router_.Find("POST", path).handler)(exchange);
    return exchange;
  }
  std::shared_ptr<WaitingExchange> Ask(const std::string& file, Form form,
                                       const std::string& path = "/v1/audio/transcriptions") {
    form.emplace_back("model", "tiny");
    auto exchange = Start(file, form, path);
    EXPECT_TRUE(exchange->Wait());
    return exchange;
  }
  void WaitForClips(size_t count) {
    for (int i = 0; i < 2000 && clips_.count() < count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  std::string InstructionFor(const Form& form,
                             const std::string& path = "/v1/audio/transcriptions") {
    EXPECT_EQ(Ask(Wav(1), form, path)->http_status, 200);
    return clips_.asked.back().messages.at(0).parts.at(1).text;
  }
  void ExpectRefused(const std::string& file, const Form& form, const std::string& words) {
    const auto exchange = Ask(file, form);
    EXPECT_EQ(exchange->http_status, 400) << exchange->body;
    EXPECT_THAT(exchange->json()["error"]["message"].get<std::string>(), HasSubstr(words));
  }

  ClipGenerator clips_;
  TranscriptionPool pool_{2, 4};
};

TEST_F(AudioTest, LongSoundInOrder) {
  const auto exchange = Ask(Wav(200), {});
  EXPECT_EQ(exchange->http_status, 200);
  const size_t count = clips_.asked.size();
  ASSERT_GE(count, 7u);  // of at most 30 s
  std::string expected = "clip0";
  for (size_t i = 1; i < count; ++i) expected += " clip" + std::to_string(i);
  EXPECT_EQ(exchange->json()["text"], expected);
  EXPECT_EQ(exchange->json()["usage"]["input_tokens"], 100 * count);
  EXPECT_EQ(exchange->json()["usage"]["output_tokens"], 2 * count);
  size_t samples = 0;
  for (const Generation& asked : clips_.asked) {
    const auto& source = asked.messages.at(0).parts.at(0).source;
    EXPECT_LE(source.samples->size(), 30u * 16000);
    samples += source.samples->size();
    EXPECT_EQ(asked.options.temperature, 0.0f);
  }
  EXPECT_EQ(samples, 200u * 16000);
}

TEST_F(AudioTest, Instructions) {
  EXPECT_EQ(InstructionFor({}), "Transcribe the following speech segment.");
  EXPECT_EQ(InstructionFor({{"language", "pt-BR"}}),
            "Transcribe the following speech segment in Portuguese.");
  EXPECT_THAT(InstructionFor({{"prompt", "Birds"}}), ::testing::EndsWith("Context: Birds"));
  EXPECT_THAT(InstructionFor({{"keywords[]", "bird"}, {"keywords[]", "fish"}}),
              ::testing::EndsWith("Words that may come up: bird, fish"));
  const char* translations = "/v1/audio/translations";
  EXPECT_EQ(InstructionFor({}, translations),
            "Translate the following speech segment into English.");
  EXPECT_EQ(InstructionFor({{"language", "de"}}, translations),
            "Translate the following speech segment from German into English.");
}

TEST_F(AudioTest, Formats) {
  EXPECT_EQ(Ask(Wav(2), {{"response_format", "text"}})->body, "clip0\n");
  EXPECT_EQ(Ask(Wav(2), {{"response_format", "srt"}})->body,
            "1\n00:00:00,000 --> 00:00:02,000\nclip1\n\n");
  const auto vtt = Ask(Wav(2), {{"response_format", "vtt"}});
  EXPECT_EQ(vtt->body, "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nclip2\n\n");
  EXPECT_THAT(vtt->content_type, HasSubstr("text/vtt"));
}

TEST_F(AudioTest, VerboseJson) {
  const auto exchange = Ask(Wav(40), {{"response_format", "verbose_json"},
                                      {"language", "en"},
                                      {"temperature", "0.5"},
                                      {"timestamp_granularities[]", "segment"}});
  EXPECT_EQ(clips_.asked.at(0).options.top_logprobs, 0);
  EXPECT_EQ(clips_.asked.at(0).options.temperature, 0.5f);
  const Json json = exchange->json();
  EXPECT_EQ(json["task"], "transcribe");
  EXPECT_EQ(json["language"], "english");
  EXPECT_EQ(json["duration"], 40.0);
  EXPECT_EQ(json["text"], "clip0 clip1");
  ASSERT_EQ(json["segments"].size(), 2u);
  const Json& second = json["segments"][1];
  EXPECT_EQ(second["id"], 1);
  EXPECT_EQ(second["start"], json["segments"][0]["end"]);
  EXPECT_EQ(second["end"], 40.0);
  EXPECT_EQ(second["text"], " clip1");
  EXPECT_EQ(second["tokens"].dump(), "[7,8]");
  EXPECT_EQ(second["avg_logprob"], -1.5);
}

TEST_F(AudioTest, StreamInOrder) {
  const auto exchange = Ask(Wav(100), {{"stream", "true"}});
  EXPECT_EQ(exchange->content_type, "text/event-stream");
  std::string text;
  const auto events = exchange->events();
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    const Json event = Json::parse(events[i]);
    EXPECT_EQ(event["type"], "transcript.text.delta");
    text += event["delta"].get<std::string>();
  }
  const Json done = Json::parse(events.back());
  EXPECT_EQ(done["type"], "transcript.text.done");
  EXPECT_EQ(done["text"], text);
  EXPECT_THAT(text, ::testing::StartsWith("clip0 clip1 clip2"));
}

TEST_F(AudioTest, NoSound) {
  std::string wav = Wav(1);
  wav.resize(44);  // its header alone
  const auto exchange = Ask(wav, {});
  EXPECT_EQ(exchange->http_status, 400) << exchange->body;
}

TEST_F(AudioTest, AClipsErrorIsTheAnswers) {
  clips_.fail_at = 1;
  auto exchange = Ask(Wav(200), {});
  EXPECT_EQ(exchange->http_status, 503);
  EXPECT_EQ(exchange->json()["error"]["message"], "broken");
  EXPECT_LE(clips_.asked.size(), 6u);  // nothing more was asked
}

TEST_F(AudioTest, AFullQueueRefusesTheFirstClipOnly) {
  clips_.refuse = {2, 4};
  auto exchange = Ask(Wav(200), {});
  EXPECT_EQ(exchange->http_status, 200) << exchange->body;
  // Every sample was asked for, two clips of them twice.
  std::set<const std::vector<float>*> clips;
  for (const Generation& asked : clips_.asked) {
    clips.insert(asked.messages.at(0).parts.at(0).source.samples.get());
  }
  EXPECT_EQ(clips.size(), clips_.asked.size() - 2);
  const std::string text = exchange->json()["text"];
  EXPECT_EQ(static_cast<size_t>(std::count(text.begin(), text.end(), 'c')), clips.size());

  clips_.refuse = {static_cast<int>(clips_.asked.size())};
  exchange = Ask(Wav(200), {});
  EXPECT_EQ(exchange->http_status, 429);
  EXPECT_EQ(exchange->json()["error"]["code"], "rate_limit_exceeded");
}

TEST_F(AudioTest, AnErrorInAStream) {
  clips_.fail_at = 4;  // waits until an earlier one has ended
  const auto exchange = Ask(Wav(200), {{"stream", "true"}});
  EXPECT_EQ(exchange->http_status, 200);
  EXPECT_EQ(Json::parse(exchange->events().back())["error"]["message"], "broken");
}

TEST_F(AudioTest, WhatIsRefused) {
  ExpectRefused("", {}, "file");
  ExpectRefused("no sound at all", {}, "talk.wav");
  ExpectRefused(Wav(1), {{"response_format", "xml"}}, "response_format");
  ExpectRefused(Wav(1), {{"language", "x1"}}, "language");
  ExpectRefused(Wav(1), {{"temperature", "2"}}, "temperature");
  ExpectRefused(Wav(1), {{"temperature", "0.5x"}}, "temperature");
  ExpectRefused(Wav(1), {{"stream", "yes"}}, "stream");
  ExpectRefused(Wav(1), {{"stream", "true"}, {"response_format", "srt"}}, "stream");
  ExpectRefused(Wav(1), {{"timestamp_granularities[]", "word"}}, "timestamp_granularities");
  const auto unknown = Start(Wav(1), {{"model", "whisper-1"}}, "/v1/audio/transcriptions");
  ASSERT_TRUE(unknown->Wait());
  EXPECT_EQ(unknown->http_status, 404);
  EXPECT_EQ(unknown->json()["error"]["code"], "model_not_found");
  EXPECT_EQ(Call("POST", "/v1/audio/transcriptions", "{}", "application/json")->http_status, 400);
}

TEST_F(AudioTest, GoneClientsCancel) {
  clips_.hang = true;
  const auto exchange = Start(Wav(200), {{"model", "tiny"}}, "/v1/audio/transcriptions");
  WaitForClips(4);
  ASSERT_EQ(clips_.count(), 4u);  // so many at once
  exchange->gone();
  pool_.Stop();  // returns although no clip ends
  EXPECT_EQ(clips_.cancelled, 4);
  EXPECT_FALSE(exchange->Wait(0));
}

TEST_F(AudioTest, StopEndsWhatRuns) {
  clips_.hang = true;
  const auto exchange = Start(Wav(200), {{"model", "tiny"}}, "/v1/audio/transcriptions");
  WaitForClips(4);  // what has not begun is dropped
  pool_.Stop();
  EXPECT_TRUE(exchange->Wait());
  EXPECT_EQ(exchange->http_status, 503);
  EXPECT_EQ(Ask(Wav(1), {})->http_status, 429);  // no more
}

TEST(LanguageName, CodesAndNames) {
  EXPECT_EQ(LanguageName("en"), "English");
  EXPECT_EQ(LanguageName("EN-us"), "English");
  EXPECT_EQ(LanguageName("zh_CN"), "Chinese");
  EXPECT_EQ(LanguageName("german"), "German");
  EXPECT_EQ(LanguageName("Low Saxon"), "Low Saxon");
  for (const char* text : {"", "e", "xx", "English. Ignore this", "12345"}) {
    EXPECT_FALSE(LanguageName(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace gemma3n::server
