#!/usr/bin/env python3
"""Writes Inputs/generators.npz: what PyTorch gives in f64 for models of the zoo that generate (decoders, diffusion, a deep
belief network), in small sizes, on weights and arguments that are made from their names (compare_torch.py).

  python3 test/models/make_generators.py     # needs torch, numpy; the tests need only numpy
"""
import json
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from compare_torch import argument, weight

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "truth"))
from numbers_of_seeds import units  # noqa: E402


class Conv1D(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(a, b)), nn.Parameter(torch.empty(b))

    def forward(self, x):
        return x @ self.weight + self.bias


def tree(**members):
    m = nn.Module()
    for name, member in members.items():
        m.add_module(name, member)
    return m


def heads_of(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class Gpt2(nn.Module):
    def __init__(self, layers, hidden, heads, vocabulary, positions):
        super().__init__()
        self.wte, self.wpe, self.heads = nn.Embedding(vocabulary, hidden), nn.Embedding(positions, hidden), heads
        self.h = nn.ModuleList(
            tree(ln_1=nn.LayerNorm(hidden), attn=tree(c_attn=Conv1D(hidden, 3 * hidden), c_proj=Conv1D(hidden, hidden)),
                 ln_2=nn.LayerNorm(hidden), mlp=tree(c_fc=Conv1D(hidden, 4 * hidden), c_proj=Conv1D(4 * hidden, hidden)))
            for _ in range(layers))
        self.ln_f = nn.LayerNorm(hidden)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for b in self.h:
            q, k, v = [heads_of(y, self.heads) for y in b.attn.c_attn(b.ln_1(x)).chunk(3, -1)]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + b.attn.c_proj(y.transpose(1, 2).flatten(2))
            x = x + b.mlp.c_proj(F.gelu(b.mlp.c_fc(b.ln_2(x)), approximate="tanh"))
        return self.ln_f(x) @ self.wte.weight.T


def turn(x, base):
    """Rotary positions as in Hugging Face's rotate_half."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.cat([angles, angles], -1)
    return x * angles.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * angles.sin()


class Llama(nn.Module):
    def __init__(self, layers, hidden, heads, key_heads, inner, vocabulary, base, eps):
        super().__init__()
        self.heads, self.key_heads, self.base = heads, key_heads, base
        linear, norm = lambda a, b: nn.Linear(a, b, bias=False), lambda: nn.RMSNorm(hidden, eps)
        keys = hidden // heads * key_heads
        self.model = tree(
            embed_tokens=nn.Embedding(vocabulary, hidden), norm=norm(),
            layers=nn.ModuleList(
                tree(self_attn=tree(q_proj=linear(hidden, hidden), k_proj=linear(hidden, keys), v_proj=linear(hidden, keys),
                                    o_proj=linear(hidden, hidden)),
                     mlp=tree(gate_proj=linear(hidden, inner), up_proj=linear(hidden, inner), down_proj=linear(inner, hidden)),
                     input_layernorm=norm(), post_attention_layernorm=norm()) for _ in range(layers)))
        self.lm_head = linear(hidden, vocabulary)

    def forward(self, ids):
        x = self.model.embed_tokens(ids)
        for b in self.model.layers:
            a, y = b.self_attn, b.input_layernorm(x)
            q, k = turn(heads_of(a.q_proj(y), self.heads), self.base), turn(heads_of(a.k_proj(y), self.key_heads), self.base)
            k, v = [t.repeat_interleave(self.heads // self.key_heads, 1) for t in (k, heads_of(a.v_proj(y), self.key_heads))]
            x = x + a.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
            y = b.post_attention_layernorm(x)
            x = x + b.mlp.down_proj(F.silu(b.mlp.gate_proj(y)) * b.mlp.up_proj(y))
        return self.lm_head(self.model.norm(x))


class T5(nn.Module):
    def __init__(self, layers, hidden, heads, size, inner, vocabulary):
        super().__init__()
        linear, self.heads, self.hidden = lambda a, b: nn.Linear(a, b, bias=False), heads, hidden
        look = lambda: tree(q=linear(hidden, heads * size), k=linear(hidden, heads * size), v=linear(hidden, heads * size),
                            o=linear(heads * size, hidden))
        part = lambda **m: tree(layer_norm=nn.RMSNorm(hidden, 1e-6), **m)
        dense = lambda: part(DenseReluDense=tree(wi=linear(hidden, inner), wo=linear(inner, hidden)))
        kinds = dict(encoder=lambda: [part(SelfAttention=look()), dense()],
                     decoder=lambda: [part(SelfAttention=look()), part(EncDecAttention=look()), dense()])
        self.shared = nn.Embedding(vocabulary, hidden)
        for name, parts in kinds.items():
            blocks = nn.ModuleList(tree(layer=nn.ModuleList(parts())) for _ in range(layers))
            blocks[0].layer[0].SelfAttention.relative_attention_bias = nn.Embedding(32, heads)
            self.add_module(name, tree(block=blocks, final_layer_norm=nn.RMSNorm(hidden, 1e-6)))

    def bias(self, stack, length, both):
        """As Hugging Face's _relative_position_bucket."""
        d, count = torch.arange(length)[None, :] - torch.arange(length)[:, None], 16 if both else 32
        sign, d = ((d > 0) * count, d.abs()) if both else (0, (-d).clamp(min=0))
        far = count // 2 + (torch.log(d.float() / (count // 2)) / np.log(128 / (count // 2)) * (count - count // 2)).long()
        bucket = sign + torch.where(d < count // 2, d, far.clamp(max=count - 1))
        return stack.block[0].layer[0].SelfAttention.relative_attention_bias(bucket).permute(2, 0, 1)

    def attend(self, m, x, y, bias):
        q, k, v = [heads_of(f(z), self.heads) for f, z in ((m.q, x), (m.k, y), (m.v, y))]
        return m.o(((q @ k.transpose(2, 3) + bias).softmax(-1) @ v).transpose(1, 2).flatten(2))

    def encode(self, ids):
        return self.stack(self.encoder, ids, self.bias(self.encoder, ids.shape[1], True), None)

    def stack(self, stack, ids, bias, text):
        x = self.shared(ids)
        for b in stack.block:
            y = b.layer[0].layer_norm(x)
            x = x + self.attend(b.layer[0].SelfAttention, y, y, bias)
            if text is not None:
                x = x + self.attend(b.layer[1].EncDecAttention, b.layer[1].layer_norm(x), text, 0)
            m = b.layer[-1].DenseReluDense
            x = x + m.wo(F.relu(m.wi(b.layer[-1].layer_norm(x))))
        return stack.final_layer_norm(x)

    def decode(self, text, ids):
        n = ids.shape[1]
        bias = self.bias(self.decoder, n, False) + torch.full((n, n), -torch.inf, dtype=torch.float64).triu(1)
        return self.stack(self.decoder, ids, bias, self.encode(text)) * self.hidden ** -0.5 @ self.shared.weight.T


class Whisper(nn.Module):
    """Hugging Face's names; its attention's keys have no bias."""

    def __init__(self, layers, hidden, heads, inner, vocabulary, mels, frames, context):
        super().__init__()
        self.heads = heads

        def attention():
            return tree(**{f"{part}_proj": nn.Linear(hidden, hidden, bias=part != "k") for part in ("q", "k", "v", "out")})

        def side(cross, **more):
            parts = lambda: {f"{kind}{what}": make() for kind in ["self_attn"] + ["encoder_attn"] * cross
                             for what, make in [("", attention), ("_layer_norm", lambda: nn.LayerNorm(hidden))]}
            blocks = [tree(**parts(), fc1=nn.Linear(hidden, inner), fc2=nn.Linear(inner, hidden),
                           final_layer_norm=nn.LayerNorm(hidden)) for _ in range(layers)]
            return tree(**more, layers=nn.ModuleList(blocks), layer_norm=nn.LayerNorm(hidden))

        self.encoder = side(False, conv1=nn.Conv1d(mels, hidden, 3, padding=1), conv2=nn.Conv1d(hidden, hidden, 3, 2, 1),
                            embed_positions=nn.Embedding(frames // 2, hidden))
        self.decoder = side(True, embed_tokens=nn.Embedding(vocabulary, hidden), embed_positions=nn.Embedding(context, hidden))

    def attend(self, m, x, y, causal=False):
        q, k, v = [heads_of(f(z), self.heads) for f, z in ((m.q_proj, x), (m.k_proj, y), (m.v_proj, y))]
        return m.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2))

    def stack(self, side, x, sound=None):
        for b in side.layers:
            y = b.self_attn_layer_norm(x)
            x = x + self.attend(b.self_attn, y, y, sound is not None)
            if sound is not None:
                x = x + self.attend(b.encoder_attn, b.encoder_attn_layer_norm(x), sound)
            x = x + b.fc2(F.gelu(b.fc1(b.final_layer_norm(x))))
        return side.layer_norm(x)

    def encode(self, mel):
        x = F.gelu(self.encoder.conv2(F.gelu(self.encoder.conv1(mel[None]))))
        return self.stack(self.encoder, x.transpose(1, 2) + self.encoder.embed_positions.weight)

    def decode(self, mel, ids):
        x = self.decoder.embed_tokens(ids) + self.decoder.embed_positions.weight[:ids.shape[1]]
        return self.stack(self.decoder, x, self.encode(mel)) @ self.decoder.embed_tokens.weight.T


class Resnet(nn.Module):
    def __init__(self, a, b, groups, time):
        super().__init__()
        self.norm1, self.conv1, self.time_emb_proj = nn.GroupNorm(groups, a, 1e-6), nn.Conv2d(a, b, 3, padding=1), nn.Linear(time, b)
        self.norm2, self.conv2 = nn.GroupNorm(groups, b, 1e-6), nn.Conv2d(b, b, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(a, b, 1) if a != b else nn.Identity()

    def forward(self, x, t):
        y = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(t))[:, None, None]
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(y)))


class Attend(nn.Module):
    def __init__(self, c, groups):
        super().__init__()
        self.group_norm, self.to_out = nn.GroupNorm(groups, c, 1e-6), nn.ModuleList([nn.Linear(c, c)])
        self.to_q, self.to_k, self.to_v = nn.Linear(c, c), nn.Linear(c, c), nn.Linear(c, c)

    def forward(self, x):
        y = self.group_norm(x).flatten(2).transpose(1, 2)
        p = (self.to_q(y) @ self.to_k(y).transpose(1, 2) / y.shape[-1] ** 0.5).softmax(-1)
        return x + self.to_out[0](p @ self.to_v(y)).transpose(1, 2).reshape(x.shape)


class Ddpm(nn.Module):
    """diffusers' UNet2DModel of two levels, the second with attention, one layer a level."""

    def __init__(self, channels, a, b, groups):
        super().__init__()
        time, self.a = 4 * a, a
        resnet = lambda x, y: Resnet(x, y, groups, time)
        self.conv_in = nn.Conv2d(channels, a, 3, padding=1)
        self.time_embedding = tree(linear_1=nn.Linear(a, time), linear_2=nn.Linear(time, time))
        self.down_blocks = nn.ModuleList([
            tree(resnets=nn.ModuleList([resnet(a, a)]), downsamplers=nn.ModuleList([tree(conv=nn.Conv2d(a, a, 3, 2))])),
            tree(resnets=nn.ModuleList([resnet(a, b)]), attentions=nn.ModuleList([Attend(b, groups)]))])
        self.mid_block = tree(resnets=nn.ModuleList([resnet(b, b), resnet(b, b)]), attentions=nn.ModuleList([Attend(b, groups)]))
        self.up_blocks = nn.ModuleList([
            tree(resnets=nn.ModuleList([resnet(b + b, b), resnet(b + a, b)]), attentions=nn.ModuleList([Attend(b, groups), Attend(b, groups)]),
                 upsamplers=nn.ModuleList([tree(conv=nn.Conv2d(b, b, 3, padding=1))])),
            tree(resnets=nn.ModuleList([resnet(b + a, a), resnet(a + a, a)]))])
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, a, 1e-6), nn.Conv2d(a, channels, 3, padding=1)

    def forward(self, image, t):
        half = self.a // 2
        angles = t * torch.exp(-np.log(10000) * torch.arange(half, dtype=torch.float64) / (half - 1))
        t = self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(torch.cat([angles.sin(), angles.cos()]))))
        (down, low), (up, high) = self.down_blocks, self.up_blocks
        x0 = self.conv_in(image)
        x1 = down.resnets[0](x0, t)
        x2 = down.downsamplers[0].conv(F.pad(x1, (0, 1, 0, 1)))
        x3 = low.attentions[0](low.resnets[0](x2, t))
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](self.mid_block.resnets[0](x3, t)), t)
        x = up.attentions[0](up.resnets[0](torch.cat([x, x3], 1), t))
        x = up.attentions[1](up.resnets[1](torch.cat([x, x2], 1), t))
        x = up.upsamplers[0].conv(F.interpolate(x, scale_factor=2))
        x = high.resnets[1](torch.cat([high.resnets[0](torch.cat([x, x1], 1), t), x0], 1), t)
        return self.conv_out(F.silu(self.conv_norm_out(x)))

    def sample(self, x, seed, steps):
        betas = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
        kept = torch.cumprod(1 - betas, 0)
        for t in reversed(range(steps)):
            x = (x - betas[t] / (1 - kept[t]).sqrt() * self(x, t)) / (1 - betas[t]).sqrt()
            if t:
                u, count = units(x.shape, seed + t)
                r, angle = np.sqrt(-2 * np.log(1 - u[0::2])), 2 * np.pi * u[1::2]
                z = np.stack([r * np.cos(angle), r * np.sin(angle)], 1).reshape(-1)[:count].reshape(x.shape)
                x = x + betas[t].sqrt() * torch.tensor(z)
        return x


class Dbn(nn.Module):
    def __init__(self, sizes, classes):
        super().__init__()
        self.rbms = nn.ModuleList(nn.Module() for _ in sizes[1:])
        for m, a, b in zip(self.rbms, sizes, sizes[1:]):
            m.weight, m.hidden_bias, m.visible_bias = [nn.Parameter(torch.empty(s)) for s in ((b, a), (b,), (a,))]
        self.classifier = nn.Linear(sizes[-1], classes)

    def sample(self, x, rounds, seed):
        up = lambda m, x: torch.sigmoid(F.linear(x, m.weight, m.hidden_bias))
        down = lambda m, h: torch.sigmoid(h @ m.weight + m.visible_bias)
        draw = lambda p, seed: (p > torch.tensor(units(p.shape, seed)[0][:p.numel()].reshape(p.shape))).double()
        for m in self.rbms[:-1]:
            x = up(m, x)
        for i in range(rounds):
            h = draw(up(self.rbms[-1], x), seed + 2 * i)
            x = draw(down(self.rbms[-1], h), seed + 2 * i + 1)
        for m in reversed(self.rbms[:-1]):
            x = down(m, x)
        return x


def prepared(module):
    shapes = {name: list(t.shape) for name, t in module.state_dict().items()}
    module.double().load_state_dict({name: torch.tensor(weight(name, s)) for name, s in shapes.items()})
    return module, shapes


def greedy(module, ids, count):
    for _ in range(count):
        first, second = module(ids)[0, -1].topk(2).values
        assert first - second > 1e-3, "another prompt, please: its most probable tokens are too close"
        ids = torch.cat([ids, module(ids)[:, -1:].argmax(-1)], 1)
    return ids


@torch.no_grad()
def main():
    small = dict(layers=2, hidden=32, heads=4, vocabulary=61)
    cases, results = {}, {}
    for name, make, more in [("gpt2", Gpt2, dict(positions=1100)), ("llama", Llama, dict(key_heads=2, inner=48, base=500.0, eps=1e-5))]:
        module, shapes = prepared(make(**small, **more))
        cases[name] = dict(weights=shapes, set={**small, **more, "context": 1100, "end": 60, "top_k": 8})
        for i, length in enumerate([1, 5, 11]):
            ids = greedy(module, torch.tensor(argument(f"{name}.{i}", 61, [1, length])), 12)
            results[f"{name}.ids.{i}"], results[f"{name}.logits.{i}"] = ids[0].numpy(), module(ids)[0].numpy()
    small = dict(layers=2, hidden=32, heads=4, size=10, inner=48, vocabulary=61)
    module, shapes = prepared(T5(**small))
    cases["t5"] = dict(weights=shapes, set={**small, "context": 200})
    text, ids = torch.tensor(argument("text.1", 61, [1, 170])), torch.tensor(argument("start", 61, [1, 40]))
    ids[0, 0] = 0
    results["t5.text"], results["t5.ids"] = text[0].numpy(), ids[0].numpy()
    results["t5.encode"], results["t5.logits"] = module.encode(text).numpy(), module.decode(text, ids)[0].numpy()
    answer = ids[:, :1]
    answer = greedy(lambda tokens: module.decode(text, tokens), answer, 12)
    results["t5.answer"] = answer[0, 1:].numpy()
    small = dict(layers=2, hidden=32, heads=4, inner=48, vocabulary=61, mels=8, frames=50, context=200)
    module, shapes = prepared(Whisper(**small))
    cases["whisper"] = dict(weights=shapes, set={**small, "start": "[3,7]", "end": 60})
    mel, ids = torch.tensor(argument("mel", "image", [8, 50])).double(), torch.tensor(argument("said", 61, [1, 40]))
    results["whisper.mel"], results["whisper.ids"] = mel.numpy(), ids[0].numpy()
    results["whisper.encode"], results["whisper.logits"] = module.encode(mel).numpy(), module.decode(mel, ids)[0].numpy()
    results["whisper.answer"] = greedy(lambda tokens: module.decode(mel, tokens), torch.tensor([[3, 7]]), 12)[0, 2:].numpy()
    module, shapes = prepared(Ddpm(3, 8, 16, 4))
    cases["ddpm"] = dict(weights=shapes, set=dict(size=8, widths="[8,16]", attends="[false,true]", depth=1, groups=4, steps=6))
    noise = torch.tensor(argument("noise", "image", [2, 3, 8, 8])).double()
    results["ddpm.predict"], results["ddpm.sample"] = module(noise, 5).numpy(), module.sample(noise, 7, 6).numpy()
    module, shapes = prepared(Dbn([12, 10, 9], 3))
    cases["dbn"] = dict(weights=shapes, set=dict(sizes="[12,10,9]", classes=3))
    shown = torch.sigmoid(torch.tensor(argument("shown", "image", [4, 12])).double()).float().double()
    results["dbn.shown"], results["dbn.sample"] = shown.numpy(), module.sample(shown, 20, 5).numpy()
    np.savez_compressed(os.path.join(HERE, "Inputs", "generators.npz"), cases=np.frombuffer(json.dumps(cases).encode(), np.uint8), **results)


if __name__ == "__main__":
    main()
