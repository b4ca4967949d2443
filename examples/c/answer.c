/* Answers one question: answer MODEL QUESTION */
#include <stdio.h>
#include <stdlib.h>

#include "gemma3n/c_api.h"

static int PrintToken(void* user, const gemma3n_token_event* event) {
  (void)user;
  fwrite(event->text, 1, event->text_length, stdout);
  fflush(stdout);
  return 1; /* 0 stops the answer */
}

/* The question as a prompt; the caller frees it. */
static int32_t* BuildPrompt(const gemma3n_engine* engine, const char* question, size_t* count,
                            gemma3n_error* error) {
  gemma3n_chat* chat = NULL;
  int32_t* tokens = NULL;
  if (gemma3n_chat_create(&chat, error) == GEMMA3N_OK &&
      gemma3n_chat_add(chat, "user", question, error) == GEMMA3N_OK &&
      /* once for the count, once for the tokens */
      gemma3n_chat_prompt(engine, chat, NULL, 0, count, error) == GEMMA3N_OUT_OF_RANGE) {
    tokens = malloc(*count * sizeof(int32_t));
    if (tokens != NULL &&
        gemma3n_chat_prompt(engine, chat, tokens, *count, count, error) != GEMMA3N_OK) {
      free(tokens);
      tokens = NULL;
    }
  }
  gemma3n_chat_free(chat);
  return tokens;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: answer MODEL QUESTION\n");
    return 2;
  }
  gemma3n_error error = {""};
  gemma3n_engine* engine = NULL;
  gemma3n_session* session = NULL;
  int32_t* prompt = NULL;
  size_t count = 0;
  int exit_code = 1;

  gemma3n_engine_options options;
  gemma3n_engine_options_init(&options, sizeof(options));
  options.model = argv[1];
  gemma3n_generation_options generation;
  gemma3n_generation_options_init(&generation, sizeof(generation));
  generation.temperature = 0;
  generation.max_tokens = 64;
  gemma3n_generation_result result = {.size = sizeof(result)};

  if (gemma3n_engine_load(&options, &engine, &error) == GEMMA3N_OK &&
      gemma3n_session_create(engine, NULL, &session, &error) == GEMMA3N_OK &&
      (prompt = BuildPrompt(engine, argv[2], &count, &error)) != NULL &&
      gemma3n_generate(session, prompt, count, &generation, PrintToken, NULL, NULL, &result,
                       &error) == GEMMA3N_OK) {
    printf("\n");
    fprintf(stderr, "[gemma3n %s: %lld prompt tokens, %lld answered, ended by %s]\n",
            gemma3n_version(), (long long)result.prompt_tokens, (long long)result.generated_tokens,
            gemma3n_stop_reason_name(result.reason));
    exit_code = 0;
  } else {
    fprintf(stderr, "answer: %s\n", error.message);
  }
  free(prompt);
  gemma3n_session_free(session);
  gemma3n_engine_free(engine);
  return exit_code;
}
