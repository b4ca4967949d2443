#!/usr/bin/env bash
# What `make run` shows: the model of this repository reads a picture, hears a clip and watches a video.
#   tools/demo.sh GEMMA3N MODEL
set -euo pipefail
gemma3n=$1 model=$2 media=examples/media
bold= plain=
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

# show OPTION FILE QUESTION: the command as one would type it, and the answer.
show() {
  printf '\n%s$ gemma3n run --model %s %s %s --prompt "%s"%s\n' "$bold" "$model" "$1" "$2" "$3" "$plain"
  "$gemma3n" run --model "$model" "$1" "$2" --prompt "$3" --temperature 0
}

show --image "$media/picture.png" "What is in this picture?"
show --audio "$media/speech.wav" "Transcribe the speech."
show --video "$media/video.mp4" "What does the counter show, and what is said?"

cat <<END

The files are in $media for you to look at and listen to. The model is a tiny one that was trained for this repository
($model/README.md says what it knows). With the real one, downloaded once (15.7 GB; its licence has to be
accepted on the hub):

    $gemma3n chat --model "\$(hf download google/gemma-3n-E4B-it)"
END
