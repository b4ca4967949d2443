"""Stage `export`: the hub layout in bfloat16, loaded back and compared before it counts as written."""

import json
import shutil

import torch

from . import config, joint, vocab

PREPROCESSOR = {
    "processor_class": "Gemma3nProcessor",
    "image_processor_type": "SiglipImageProcessorFast",
    "do_resize": True,
    "size": {"height": config.IMAGE_SIZE, "width": config.IMAGE_SIZE},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": False,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_convert_rgb": True,
    "image_seq_length": config.IMAGE_TOKENS,
    "feature_extractor_type": "Gemma3nAudioFeatureExtractor",
    "feature_size": 128,
    "sampling_rate": 16000,
    "padding_value": 0.0,
    "padding_side": "right",
    "return_attention_mask": True,
    "frame_length": 512,
    "hop_length": 160,
    "min_frequency": 125.0,
    "max_frequency": 7600.0,
    "preemphasis": 0.97,
    "preemphasis_htk_flavor": True,
    "fft_overdrive": True,
    "dither": 0.0,
    "input_scale_factor": 1.0,
    "mel_floor": 1e-05,
    "audio_seq_length": config.AUDIO_TOKENS,
}

GENERATION = {
    "_from_model_config": False,
    "bos_token_id": config.BOS,
    "eos_token_id": [config.EOS, config.END_TURN],
    "pad_token_id": config.PAD,
    "do_sample": False,
}


def trained_model(folder=None):
    """The whole model in float32 with the joint stage's averaged weights."""
    model = joint.build_model()
    state = torch.load((folder or config.WORK / "joint") / "state.pt", map_location="cpu", weights_only=False)
    missing = model.load_state_dict(state["average"]["shadow"], strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys[:3]
    return model.eval(), state["step"]


def write(folder=None, joint_folder=None):
    from transformers import Gemma3nForConditionalGeneration

    folder = folder or config.EXPORT
    tmp = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    model, step = trained_model(joint_folder)
    state = {k: v.to(torch.bfloat16) for k, v in model.state_dict().items()}
    model.config.dtype = torch.bfloat16
    # Weights are rounded one by one; model.to(bfloat16) would round the model's constants as well.
    for name, p in model.named_parameters():
        p.data = state[name]
    model.generation_config.eos_token_id = GENERATION["eos_token_id"]
    model.generation_config.do_sample = False
    model.save_pretrained(tmp, safe_serialization=True)
    (tmp / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1) + "\n")
    (tmp / "generation_config.json").write_text(json.dumps(GENERATION, indent=1) + "\n")
    for name in ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        shutil.copy(config.WORK / "tokenizer" / name, tmp / name)
    back = Gemma3nForConditionalGeneration.from_pretrained(tmp, dtype=torch.float32)
    for name, p in back.named_parameters():
        assert torch.equal(p, state[name].float()), name
    size = sum(f.stat().st_size for f in tmp.iterdir())
    weights = (tmp / "model.safetensors").stat().st_size
    assert weights <= 40_000_000, weights
    shutil.rmtree(folder, ignore_errors=True)
    tmp.rename(folder)
    print(f"exported joint step {step} to {folder}: weights {weights / 1e6:.1f} MB, all files {size / 1e6:.1f} MB")
