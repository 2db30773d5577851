"""The models of tools/kiln-bench: which file of the zoo says each, and how what was exported for the peers becomes its weights,
arguments and states."""
import re
from dataclasses import dataclass, field
from typing import Callable

import numpy as np


@dataclass
class Row:
    zoo: str
    entry: str
    options: list = field(default_factory=list)  # of kilnc
    batch: int = 0  # of a graph that is built here from seeded weights; 0: it must be exported
    weights: Callable = dict  # from the exported state_dict, under the zoo's names
    arguments: Callable = lambda inputs: list(inputs.values())
    states: Callable = None  # from the inputs: states by name, set before each call; those that are not named are zero


def sets(**values):
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def fixes(**values):
    return [word for key, value in values.items() for word in ("--fix", f"{key}={value}")]


def renames(*patterns):
    return [word for pattern in patterns for word in ("--rename", pattern)]


def renamed(weights, drop, *patterns):
    """Under other names: each pattern is a regular expression of a whole name, and what it becomes; `drop` has no use here."""
    result = {}
    for name, value in weights.items():
        if name == drop:
            continue
        for old, new in patterns:
            if match := re.fullmatch(old, name):
                name = match.expand(new)
                break
        result[name] = value
    return result


def gpt2_weights(given):
    result = renamed(given, "mask", (r"blocks\.(\d+)\.ln(\d)\.(.*)", r"h.\1.ln_\2.\3"),
                     (r"blocks\.(\d+)\.qkv\.(.*)", r"h.\1.attn.c_attn.\2"), (r"blocks\.(\d+)\.proj\.(.*)", r"h.\1.attn.c_proj.\2"),
                     (r"blocks\.(\d+)\.fc\.(.*)", r"h.\1.mlp.c_fc.\2"), (r"blocks\.(\d+)\.out\.(.*)", r"h.\1.mlp.c_proj.\2"),
                     (r"lnf\.(.*)", r"ln_f.\1"), (r"head\.(.*)", r"lm_head.\1"))
    # GPT-2's own layers store a matrix as [in, out].
    return {n: np.ascontiguousarray(w.T) if ".c_" in n and n.endswith("weight") else w for n, w in result.items()}


def cache(rows, context):
    """A cache of `context` places that begins with these rows."""
    shape = list(rows.shape)
    shape[2] = context
    result = np.zeros(shape, rows.dtype)
    result[:, :, :rows.shape[2]] = rows
    return result


def gpt2_states(inputs):
    states = {f"h.{layer}.attn.{name}": cache(inputs[f"past_{name[0]}{layer}"], 1024)
              for layer in range(12) for name in ("keys", "values")}
    return {**states, "position": np.array(inputs["pos"].item())}


def t5_weights(given):
    block = r"encoder.block.\2.layer."
    result = renamed(given, "bucket", (r"([qkvo])\.(\d+)\.weight", block + r"0.SelfAttention.\1.weight"),
                     (r"(w[io])\.(\d+)\.weight", block + r"1.DenseReluDense.\1.weight"),
                     (r"n(1)\.(\d+)", block + "0.layer_norm.weight"), (r"n(2)\.(\d+)", block + "1.layer_norm.weight"),
                     (r"emb\.weight", "shared.weight"), (r"nf", "encoder.final_layer_norm.weight"),
                     (r"rel\.weight", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"))
    # T5 does not scale its scores: that stands in the queries' matrix, here a power of 2.
    return {n: w * np.float32(0.125) if n.endswith("SelfAttention.q.weight") else w for n, w in result.items()}


def translator_weights(given):
    layer = r"transformer.decoder.layers.\1."
    result = renamed(given, None, (r"emb\.weight", "tgt_tok_emb.embedding.weight"), (r"head\.weight", "generator.weight"),
                     (r"ln\.(.*)", r"transformer.decoder.norm.\1"), (r"layers\.(\d+)\.ln(\d)\.(.*)", layer + r"norm\2.\3"),
                     (r"layers\.(\d+)\.qkv\.(.*)", layer + r"self_attn.in_proj_\2"),
                     (r"layers\.(\d+)\.proj\.(.*)", layer + r"self_attn.out_proj.\2"),
                     (r"layers\.(\d+)\.cq\.(.*)", layer + r"multihead_attn.in_proj_\2"),
                     (r"layers\.(\d+)\.cproj\.(.*)", layer + r"multihead_attn.out_proj.\2"),
                     (r"layers\.(\d+)\.fc\.(.*)", layer + r"linear1.\2"), (r"layers\.(\d+)\.out\.(.*)", layer + r"linear2.\2"))
    result["positional_encoding.pos_embedding"] = result.pop("pos.weight")[:, None]
    # What only an encoder and its memory ask for, which a step has behind it.
    for name, w in list(result.items()):
        if ".multihead_attn.in_proj_" in name:
            result[name] = np.concatenate([w, np.zeros_like(w), np.zeros_like(w)])
    result["src_tok_emb.embedding.weight"] = np.zeros((1, 512), np.float32)
    for name in ("weight", "bias"):
        result["transformer.encoder.norm." + name] = np.ones(512, np.float32)
    return result


def translator_states(inputs):
    kinds = {"keys": "past_k", "values": "past_v", "memory_keys": "cross_k", "memory_values": "cross_v"}
    states = {f"transformer.decoder.layers.{layer}.{name}": cache(inputs[f"{kind}{layer}"], 512)
              for layer in range(6) for name, kind in kinds.items()}
    return {**states, "position": np.array(inputs["pos"].item()), "length": np.array(inputs["cross_k0"].shape[2])}


def token(inputs):
    return [inputs["input_ids"].reshape(())]


def sentence(inputs):
    return [inputs["input_ids"][0]]


def bert(**values):
    return Row("bert", "encode", renames("m.*=*") + sets(**values) + fixes(N=1, T=128))


def mlp(rows):
    return Row("mlp", "logits", renames("0.*=fc1.*", "2.*=fc2.*", "4.*=fc3.*") + sets(hidden=512, depth=2) + fixes(N=rows))


UNET = renames("down.0.*=inc.double_conv.*", *[f"down.{i}.*=down{i}.maxpool_conv.1.double_conv.*" for i in (1, 2, 3)],
               *[f"up.{i}.*=up{i + 1}.up.*" for i in range(3)], *[f"dec.{i}.*=up{i + 1}.conv.double_conv.*" for i in range(3)],
               "head.*=outc.conv.*")
MODELS = {
    "resnet50_b1": Row("resnet50", "predict", fixes(N=1), 1), "resnet50_b8": Row("resnet50", "predict", fixes(N=8), 8),
    "mobilenet_v2_b1": Row("mobilenet_v2", "predict", fixes(N=1), 1), "alexnet_b1": Row("alexnet", "predict", fixes(N=1), 1),
    "vit_b_16_b1": Row("vit_b_16", "predict", fixes(N=1)), "efficientnet_b0_b1": Row("efficientnet_b0", "predict", fixes(N=1)),
    "bert_base_s128": bert(layers=12, hidden=768, inner=3072), "minilm_s128": bert(),
    # A conversation that begins with these words; the caches of peers are arguments and results, Kiln's are states of the instance.
    "gpt2_prefill_s128": Row("gpt2", "prefill", sets(tied="false") + fixes(T=128), weights=gpt2_weights, arguments=sentence,
                             states=lambda inputs: {}),
    "gpt2_decode_kv512": Row("gpt2", "step", sets(tied="false") + fixes(T=128), weights=gpt2_weights, arguments=token,
                             states=gpt2_states),
    "t5_small_enc_s128": Row("t5_encoder", "encode", fixes(T=128), weights=t5_weights, arguments=sentence),
    "lstm_2x512_t128": Row("lstm", "run", fixes(T=128) + ["--max", "N=1"]),
    "mlp_b1": mlp(1), "mlp_b64": mlp(64),
    "unet_256": Row("unet", "predict", UNET + sets(width=32, depth=3) + fixes(N=1)),
    "dlrm_b128": Row("dlrm", "predict", renames("emb.*=emb_l.*", "bot.*=bot_l.*", "top.*=top_l.*") + fixes(N=128) +
                     sets(tables=26, rows=10000, width=64, bottom="[512,256]", top="[512,256]"),
                     weights=lambda given: renamed(given, "tri")),
    "seq2seq_step": Row("transformer", "step", sets(source_words=1, target_words=32000, encoder_layers=0, decoder_layers=6, inner=2048,
                                                    positions=512, norm_first="true", bias="false"),
                        weights=translator_weights, arguments=token, states=translator_states),
}
