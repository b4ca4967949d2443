/* Asks about a picture, and a clip: ask MODEL QUESTION [PICTURE [CLIP]] */
#include <stdio.h>

#include "gemma3n/c_api.h"

static int PrintToken(void* user, const gemma3n_token_event* event) {
  (void)user;
  fwrite(event->text, 1, event->text_length, stdout);
  fflush(stdout);
  return 1; /* 0 stops the answer */
}

static int ReportMedium(void* user, int64_t done) {
  (void)user;
  fprintf(stderr, "[%lld read]\n", (long long)done);
  return 1; /* 0 cancels */
}

/* The media first, then the question: the order that the model was trained on. */
static gemma3n_status BuildPrompt(const gemma3n_engine* engine, const char* question,
                                  const char* picture, const char* clip, gemma3n_prompt** prompt,
                                  gemma3n_error* error) {
  gemma3n_content* content = NULL;
  gemma3n_chat* chat = NULL;
  gemma3n_media_options options;
  gemma3n_media_options_init(&options, sizeof(options));
  options.on_progress = ReportMedium;
  gemma3n_status status = gemma3n_content_create(&content, error);
  if (status == GEMMA3N_OK && picture != NULL)
    status = gemma3n_content_add_file(content, GEMMA3N_MEDIUM_IMAGE, picture, error);
  if (status == GEMMA3N_OK && clip != NULL)
    status = gemma3n_content_add_file(content, GEMMA3N_MEDIUM_AUDIO, clip, error);
  if (status == GEMMA3N_OK) status = gemma3n_content_add_text(content, question, error);
  if (status == GEMMA3N_OK) status = gemma3n_chat_create(&chat, error);
  if (status == GEMMA3N_OK) status = gemma3n_chat_add_content(chat, "user", content, error);
  if (status == GEMMA3N_OK)
    status = gemma3n_prompt_from_chat(engine, chat, &options, prompt, error);
  gemma3n_chat_free(chat);
  gemma3n_content_free(content);
  return status;
}

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    fprintf(stderr, "usage: ask MODEL QUESTION [PICTURE [CLIP]]\n");
    return 2;
  }
  const char* picture = argc > 3 ? argv[3] : NULL;
  const char* clip = argc > 4 ? argv[4] : NULL;
  gemma3n_error error = {""};
  gemma3n_engine* engine = NULL;
  gemma3n_session* session = NULL;
  gemma3n_prompt* prompt = NULL;
  int exit_code = 1;

  gemma3n_engine_options options;
  gemma3n_engine_options_init(&options, sizeof(options));
  options.model = argv[1]; /* for a .gguf file, options.mmproj names the file with the towers */
  gemma3n_generation_options generation;
  gemma3n_generation_options_init(&generation, sizeof(generation));
  generation.temperature = 0;
  generation.max_tokens = 64;

  if (gemma3n_engine_load(&options, &engine, &error) == GEMMA3N_OK &&
      gemma3n_session_create(engine, NULL, &session, &error) == GEMMA3N_OK &&
      BuildPrompt(engine, argv[2], picture, clip, &prompt, &error) == GEMMA3N_OK &&
      gemma3n_generate_prompt(session, prompt, &generation, PrintToken, NULL, NULL, NULL, &error) ==
          GEMMA3N_OK) {
    printf("\n");
    const char* note = NULL;
    for (size_t i = 0; (note = gemma3n_prompt_note(prompt, i)) != NULL; ++i)
      fprintf(stderr, "[%s]\n", note);
    exit_code = 0;
  } else {
    fprintf(stderr, "ask: %s\n", error.message);
  }
  gemma3n_prompt_free(prompt);
  gemma3n_session_free(session);
  gemma3n_engine_free(engine);
  return exit_code;
}
