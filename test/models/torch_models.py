"""PyTorch modules of models that torchvision lacks, with the names of their published weights, for make_torch.py."""
import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class Ssd(nn.Module):
    """torchvision's, without non-maximum suppression."""

    def __new__(cls, classes):
        m = torchvision.models.detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=classes)

        def detect(image):
            maps = list(m.backbone(image).values())
            out = m.head(maps)
            sizes = torchvision.models.detection.image_list.ImageList(image, [(300, 300)] * len(image))
            anchors = m.anchor_generator(sizes, maps)
            boxes = [torchvision.ops.clip_boxes_to_image(m.box_coder.decode_single(b, a), (300, 300))
                     for b, a in zip(out["bbox_regression"], anchors)]
            return torch.stack(boxes), out["cls_logits"].softmax(-1)
        m.detect = detect
        return m


class MixerMlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class MixerBlock(nn.Module):
    def __init__(self, dim, tokens):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.mlp_tokens, self.mlp_channels = MixerMlp(tokens, dim // 2), MixerMlp(dim, dim * 4)

    def forward(self, x):
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, classes=1000, size=224, patch=16, dim=768, depth=12):
        super().__init__()
        self.stem = nn.Module()
        self.stem.proj = nn.Conv2d(3, dim, patch, patch)
        self.blocks = nn.Sequential(*[MixerBlock(dim, (size // patch) ** 2) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim, 1e-6), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.stem.proj(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))


def double_conv(i, o):
    m = nn.Module()
    m.double_conv = nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
                                  nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
    m.forward = m.double_conv.forward
    return m


class Unet(nn.Module):
    def __init__(self, width=64, classes=2, depth=4):
        super().__init__()
        self.inc, self.depth = double_conv(3, width), depth
        for i in range(1, depth + 1):
            down, up = nn.Module(), nn.Module()
            down.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), double_conv(width << (i - 1), width << i))
            wide = width << (depth + 1 - i)
            up.up, up.conv = nn.ConvTranspose2d(wide, wide // 2, 2, 2), double_conv(wide, wide // 2)
            setattr(self, f"down{i}", down)
            setattr(self, f"up{i}", up)
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        seen = [self.inc(x)]
        for i in range(1, self.depth + 1):
            seen.append(getattr(self, f"down{i}").maxpool_conv(seen[-1]))
        x = seen.pop()
        for i in range(1, self.depth + 1):
            up = getattr(self, f"up{i}")
            x = up.conv(torch.cat([seen.pop(), up.up(x)], 1))
        return self.outc.conv(x)


class Vae(nn.Module):
    def __init__(self, widths=(32, 64, 128, 256, 512), latent=128):
        super().__init__()
        self.encoder = nn.Sequential(*[
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU())
            for i, o in zip((3,) + widths, widths)])
        self.fc_mu, self.fc_var = nn.Linear(2048, latent), nn.Linear(2048, latent)
        self.decoder_input = nn.Linear(latent, 2048)
        grow = lambda i, o: [nn.ConvTranspose2d(i, o, 3, 2, 1, 1), nn.BatchNorm2d(o), nn.LeakyReLU()]
        self.decoder = nn.Sequential(*[nn.Sequential(*grow(i, o)) for i, o in zip(widths[:0:-1], widths[-2::-1])])
        self.final_layer = nn.Sequential(*grow(32, 32), nn.Conv2d(32, 3, 3, padding=1), nn.Tanh())

    def encode(self, x):
        x = self.encoder(x).flatten(1)
        return self.fc_mu(x), self.fc_var(x)

    def decode(self, z):
        return self.final_layer(self.decoder(self.decoder_input(z).view(-1, 512, 2, 2)))

    def reconstruct(self, x, noise):
        mu, logvar = self.encode(x)
        return self.decode(mu + noise * (0.5 * logvar).exp())


class Ncf(nn.Module):
    def __init__(self, users=6040, items=3706, factors=32, layers=3):
        super().__init__()
        wide = factors << (layers - 1)
        self.embed_user_GMF, self.embed_item_GMF = nn.Embedding(users, factors), nn.Embedding(items, factors)
        self.embed_user_MLP, self.embed_item_MLP = nn.Embedding(users, wide), nn.Embedding(items, wide)
        parts = [[nn.Dropout(), nn.Linear(2 * wide >> i, wide >> i), nn.ReLU()] for i in range(layers)]
        self.MLP_layers = nn.Sequential(*sum(parts, []))
        self.predict_layer = nn.Linear(2 * factors, 1)

    def forward(self, user, item):
        x = self.MLP_layers(torch.cat([self.embed_user_MLP(user), self.embed_item_MLP(item)], -1))
        product = self.embed_user_GMF(user) * self.embed_item_GMF(item)
        return self.predict_layer(torch.cat([product, x], -1)).flatten()

    def recommend(self, user):
        items = torch.arange(self.embed_item_GMF.num_embeddings)
        score, item = self(user.expand(len(items)), items).topk(10)
        return item, score


class Rbm(nn.Module):
    def __init__(self, visible, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(hidden, visible))
        self.hidden_bias, self.visible_bias = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.zeros(visible))


class Dbn(nn.Module):
    def __init__(self, sizes, classes=10):
        super().__init__()
        self.rbms = nn.ModuleList([Rbm(i, o) for i, o in zip(sizes, sizes[1:])])
        self.classifier = nn.Linear(sizes[-1], classes)

    def features(self, x):
        for r in self.rbms:
            x = torch.sigmoid(F.linear(x, r.weight, r.hidden_bias))
        return x

    def reconstruct(self, x):
        x = self.features(x)
        for r in reversed(self.rbms):
            x = torch.sigmoid(F.linear(x, r.weight.t(), r.visible_bias))
        return x

    def classify(self, x):
        return self.classifier(self.features(x)).softmax(-1)


class TextClassifier(nn.Module):
    def __init__(self, vocabulary=30522, dim=256, heads=8, inner=1024, depth=4, classes=4, positions=256):
        super().__init__()
        self.embedding, self.position = nn.Embedding(vocabulary, dim), nn.Embedding(positions, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, inner, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, ids, mask):
        x = self.embedding(ids) + self.position.weight[:ids.shape[1]]
        x = self.encoder(x, src_key_padding_mask=mask == 0)
        words = mask.unsqueeze(-1).to(x.dtype)
        return self.classifier((x.nan_to_num() * words).sum(1) / words.sum(1))


class DetrLayer(nn.Module):
    def __init__(self, dim, heads, inner, decoder):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        if decoder:
            self.multihead_attn, self.norm3 = nn.MultiheadAttention(dim, heads, batch_first=True), nn.LayerNorm(dim)

    def forward(self, x, places, memory=None, memory_places=None):
        q, last = x + places, self.norm2
        x = self.norm1(x + self.self_attn(q, q, x)[0])
        if memory is not None:
            x = self.norm2(x + self.multihead_attn(x + places, memory + memory_places, memory)[0])
            last = self.norm3
        return last(x + self.linear2(self.linear1(x).relu()))


def sine_places(height, width, dim):
    """DETR's PositionEmbeddingSine, normalised, of an image without padding: [height * width, dim]."""
    half = dim // 2
    divisor = 10000.0 ** (2 * (torch.arange(half) // 2).double() / half)

    def along(count):
        angle = torch.arange(1, count + 1).double()[:, None] / (count + 1e-6) * 2 * math.pi / divisor
        return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], 2).flatten(1)
    rows = along(height)[:, None].expand(height, width, half)
    return torch.cat([rows, along(width)[None].expand(height, width, half)], 2).flatten(0, 1)


class Detr(nn.Module):
    def __init__(self, classes=91, queries=100, depth=6, dim=256, heads=8, inner=2048):
        super().__init__()
        body = torchvision.models.resnet50(norm_layer=torchvision.ops.FrozenBatchNorm2d)
        del body.fc
        joined = nn.Module()
        joined.body = body
        self.backbone = nn.ModuleList([joined])
        self.input_proj, self.query_embed = nn.Conv2d(2048, dim, 1), nn.Embedding(queries, dim)
        self.transformer = nn.Module()
        self.transformer.encoder, self.transformer.decoder = nn.Module(), nn.Module()
        make = lambda decoder: nn.ModuleList([DetrLayer(dim, heads, inner, decoder) for _ in range(depth)])
        self.transformer.encoder.layers, self.transformer.decoder.layers = make(False), make(True)
        self.transformer.decoder.norm = nn.LayerNorm(dim)
        self.class_embed, self.bbox_embed = nn.Linear(dim, classes + 1), nn.Module()
        self.bbox_embed.layers = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, 4)])

    def forward(self, image):
        b = self.backbone[0].body
        x = b.maxpool(b.relu(b.bn1(b.conv1(image))))
        x = self.input_proj(b.layer4(b.layer3(b.layer2(b.layer1(x)))))
        places = sine_places(*x.shape[2:], x.shape[1])
        x = x.flatten(2).transpose(1, 2)
        for layer in self.transformer.encoder.layers:
            x = layer(x, places)
        query = self.query_embed.weight
        y = torch.zeros(len(x), *query.shape, dtype=x.dtype)
        for layer in self.transformer.decoder.layers:
            y = layer(y, query, x, places)
        y = self.transformer.decoder.norm(y)
        first, second, third = self.bbox_embed.layers
        return self.class_embed(y), third(second(first(y).relu()).relu()).sigmoid()

    def detect(self, image):
        logits, boxes = self(image)
        height, width = image.shape[2:]
        corners = torchvision.ops.box_convert(boxes, "cxcywh", "xyxy") * torch.tensor([width, height] * 2)
        score, label = logits.softmax(-1)[..., :-1].max(-1)
        return corners, label, score


class LstmClassifier(nn.Module):
    def __init__(self, vocabulary=30522, classes=4, dim=128, hidden=256, depth=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        self.lstm = nn.LSTM(dim, hidden, depth, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * hidden, classes)

    def forward(self, ids):
        _, (h, _) = self.lstm(self.embedding(ids))
        return self.classifier(torch.cat([h[-2], h[-1]], 1))


class GruTagger(nn.Module):
    def __init__(self, vocabulary=30522, tags=17, dim=100, hidden=128, depth=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        self.gru = nn.GRU(dim, hidden, depth, bidirectional=True)
        self.out = nn.Linear(2 * hidden, tags)

    def scores(self, ids):
        return self.out(self.gru(self.embedding(ids))[0])

    def forward(self, ids):
        probability, tag = self.scores(ids).softmax(-1).max(-1)
        return tag, probability


class CharRnn(nn.Module):
    def __init__(self, characters=128, hidden=512, depth=2):
        super().__init__()
        self.encoder = nn.Embedding(characters, hidden)
        self.rnn = nn.LSTM(hidden, hidden, depth)
        self.decoder = nn.Linear(hidden, characters)

    def read(self, text):
        return self.decoder(self.rnn(self.encoder(text))[0])

    def step(self, character):
        return self.read(character.reshape(1))[0]

    def write(self, character, count):
        text, state, last = torch.zeros(256, dtype=torch.int64), None, character.reshape(1)
        for n in range(min(int(count), 256)):
            y, state = self.rnn(self.encoder(last), state)
            last = self.decoder(y).argmax(-1)
            text[n] = last
        return text


class Lstm(nn.Module):
    def __init__(self, size, hidden, depth):
        super().__init__()
        self.l = nn.LSTM(size, hidden, depth)

    def run(self, x):
        return self.l(x)[0]


class Dlrm(nn.Module):
    """Its published code's, for one row of each table an example."""

    def __init__(self, dense=13, tables=8, rows=1000, width=16, bottom=(64,), top=(64,)):
        super().__init__()
        self.emb_l = nn.ModuleList([nn.Embedding(rows, width) for _ in range(tables)])
        linear = lambda sizes: [m for i, o in zip(sizes, sizes[1:]) for m in (nn.Linear(i, o), nn.ReLU())]
        self.bot_l = nn.Sequential(*linear([dense, *bottom, width]))
        self.top_l = nn.Sequential(*linear([width + (tables + 1) * tables // 2, *top, 1])[:-1], nn.Sigmoid())

    def forward(self, dense, category):
        x = self.bot_l(dense)
        t = torch.stack([x] + [e(category[:, i]) for i, e in enumerate(self.emb_l)], 1)
        i, j = torch.tril_indices(t.shape[1], t.shape[1], -1)
        return self.top_l(torch.cat([x, torch.bmm(t, t.transpose(1, 2))[:, i, j]], 1))[:, 0]


class Translator(nn.Module):
    """PyTorch's tutorial "Language translation with nn.Transformer", for one sentence."""

    def __init__(self, source=19214, target=10837, encoder=3, decoder=3, hidden=512, heads=8, inner=512, positions=5000,
                 norm_first=False):
        super().__init__()
        self.transformer = nn.Transformer(hidden, heads, encoder, decoder, inner, batch_first=True, norm_first=norm_first)
        self.generator = nn.Linear(hidden, target)
        self.src_tok_emb, self.tgt_tok_emb, self.positional_encoding = nn.Module(), nn.Module(), nn.Module()
        self.src_tok_emb.embedding, self.tgt_tok_emb.embedding = nn.Embedding(source, hidden), nn.Embedding(target, hidden)
        self.positional_encoding.register_buffer("pos_embedding", torch.zeros(positions, 1, hidden))

    def at_places(self, table, ids):
        return table.embedding(ids) * table.embedding.embedding_dim ** 0.5 + self.positional_encoding.pos_embedding[:len(ids), 0]

    def score(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(len(target), dtype=torch.float64)
        x, y = self.at_places(self.src_tok_emb, source), self.at_places(self.tgt_tok_emb, target)
        return self.generator(self.transformer(x[None], y[None], tgt_mask=mask)[0])

    def translate(self, source, max_new, context=24, begin=2, end=3):
        words = [begin]
        while len(words) <= max_new and (len(words) == 1 or words[-1] != end):
            best, word = self.score(source, torch.tensor(words))[-1].topk(2)
            assert best[0] - best[1] > 1e-3, "another sentence, please: two words are too close"
            words.append(int(word[0]))
        target = torch.zeros(context, dtype=torch.int64)
        target[:len(words) - 1] = torch.tensor(words[1:])
        return target, torch.tensor(len(words) - 1)


class Seq2Seq(nn.Module):
    """PyTorch's tutorial "Translation with a sequence to sequence network and attention"."""

    def __init__(self, source=8000, target=8000, hidden=256):
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.embedding = nn.Embedding(source, hidden)
        self.encoder.gru = nn.GRU(hidden, hidden, batch_first=True)
        d = self.decoder
        d.embedding, d.gru = nn.Embedding(target, hidden), nn.GRU(2 * hidden, hidden, batch_first=True)
        d.attention = nn.Module()
        d.attention.Wa, d.attention.Ua = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        d.attention.Va, d.out = nn.Linear(hidden, 1), nn.Linear(hidden, target)

    def step(self, word, h, memory):
        d, a = self.decoder, self.decoder.attention
        scores = a.Va(torch.tanh(a.Wa(h.permute(1, 0, 2)) + a.Ua(memory))).squeeze(2).unsqueeze(1)
        context = torch.bmm(F.softmax(scores, -1), memory)
        y, h = d.gru(torch.cat((d.embedding(word)[:, None], context), 2), h)
        return d.out(y)[:, 0], h

    def score(self, source, target):
        memory, h = self.encoder.gru(self.encoder.embedding(source))
        scores, last = [], torch.zeros(len(source), dtype=torch.int64)
        for t in range(target.shape[1]):
            logits, h = self.step(last, h, memory)
            scores.append(logits)
            last = target[:, t]
        return torch.stack(scores, 1)

    def beam(self, source, most=40, beams=4, alpha=0.6):
        """Beam search by lists: (words, logarithm of probability, state or none where it has ended)."""
        memory, h = self.encoder.gru(self.encoder.embedding(source[None]))
        kept = [([], 0.0, h)]
        for _ in range(most):
            longer = [old for old in kept if old[2] is None]
            for words, total, h in kept:
                if h is not None:
                    logits, h = self.step(torch.tensor(words[-1:] or [0]), h, memory)
                    for word, more in enumerate(F.log_softmax(logits[0], -1).tolist()):
                        longer.append((words + [word], total + more, None if word == 1 else h))
            kept = sorted(longer, key=lambda one: -one[1])[:beams]
            assert min(a[1] - b[1] for a, b in zip(kept, kept[1:])) > 1e-4, "another sentence, please: two are too close"
            if all(h is None for *_, h in kept):
                break
        ranked = sorted((-total / (len(words) + (h is not None)) ** alpha, words) for words, total, h in kept)
        target, length = torch.ones(beams, most, dtype=torch.int64), torch.zeros(beams, dtype=torch.int64)
        for n, (_, words) in enumerate(ranked):
            length[n] = len(words) - (words[-1] == 1)
            target[n, :length[n]] = torch.tensor(words[:length[n]])
        return target, length, -torch.tensor([score for score, _ in ranked], dtype=torch.float64)

    def translate(self, source):
        """Each sentence alone."""
        target, length = torch.ones(len(source), 40, dtype=torch.int64), torch.zeros(len(source), dtype=torch.int64)
        for n in range(len(source)):
            memory, h = self.encoder.gru(self.encoder.embedding(source[n:n + 1]))
            last = torch.zeros(1, dtype=torch.int64)
            for t in range(40):
                logits, h = self.step(last, h, memory)
                last = logits.argmax(-1)
                if last == 1:
                    break
                target[n, t] = last
                length[n] += 1
        return target, length


class Resemblyzer(nn.Module):
    def __init__(self, hidden=256, size=256):
        super().__init__()
        self.lstm = nn.LSTM(40, hidden, 3, batch_first=True)
        self.linear = nn.Linear(hidden, size)

    def embed(self, mels):
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        return raw / torch.norm(raw, dim=1, keepdim=True)


class SpatialTransformer(nn.Module):
    """As PyTorch's tutorial "Spatial Transformer Networks Tutorial" has it, outside training."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)
        self.localization = nn.Sequential(nn.Conv2d(1, 8, 7), nn.MaxPool2d(2, 2), nn.ReLU(), nn.Conv2d(8, 10, 5),
                                          nn.MaxPool2d(2, 2), nn.ReLU())
        self.fc_loc = nn.Sequential(nn.Linear(90, 32), nn.ReLU(), nn.Linear(32, 6))

    def straighten(self, x):
        theta = self.fc_loc(self.localization(x).reshape(-1, 90)).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(self.straighten(x)), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).reshape(-1, 320)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), 1)
