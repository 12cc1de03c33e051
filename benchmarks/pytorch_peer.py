"""The peer of pytorch.py: the same autoencoder on nn.LSTM. Runs in an environment with PyTorch and nothing of ours.

Reads lines from standard input: first a JSON object with the sizes, then "train" or "decode", each answered by the
seconds that one training step, or greedy decoding of one batch, took.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Encoder(nn.Module):
    """Tokens to mean and log-variance of the code."""

    def __init__(self, sizes):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(sizes["symbols"], sizes["embedding"]) for _ in range(sizes["tracks"]))
        width, units = sizes["tracks"] * sizes["embedding"], sizes["encoder_units"]
        self.lstm = nn.LSTM(width, units, sizes["encoder_layers"], batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * units, 2 * sizes["latent"])

    def forward(self, tokens):
        """int64 [B, T, K] to two tensors [B, D]."""
        steps = torch.cat([table(tokens[..., track]) for track, table in enumerate(self.tables)], dim=-1)
        _, (hidden, _) = self.lstm(steps)
        return self.head(torch.cat([hidden[-2], hidden[-1]], dim=-1)).chunk(2, dim=-1)


class Decoder(nn.Module):
    """A code to the logits of every track: an LSTM a track that gets the code at every step."""

    def __init__(self, sizes):
        super().__init__()
        self.steps, self.layers, units = sizes["steps"], sizes["decoder_layers"], sizes["decoder_units"]
        self.states = nn.ModuleList(nn.Linear(sizes["latent"], 2 * self.layers * units) for _ in range(sizes["tracks"]))
        self.lstms = nn.ModuleList(
            nn.LSTM(sizes["latent"], units, self.layers, batch_first=True) for _ in range(sizes["tracks"])
        )
        self.heads = nn.ModuleList(nn.Linear(units, sizes["symbols"]) for _ in range(sizes["tracks"]))

    def forward(self, latent):
        """[B, D] to K tensors [B, T, V]."""
        repeated = latent[:, None].expand(-1, self.steps, -1)
        logits = []
        for states, lstm, head in zip(self.states, self.lstms, self.heads, strict=True):
            first = torch.tanh(states(latent)).view(len(latent), 2, self.layers, -1).permute(1, 2, 0, 3).contiguous()
            logits.append(head(lstm(repeated, (first[0], first[1]))[0]))
        return logits


def main():
    """Answer until standard input ends."""
    sizes = json.loads(sys.stdin.readline())
    torch.manual_seed(1)
    torch.set_num_threads(sizes["threads"])
    encoder, decoder = Encoder(sizes), Decoder(sizes)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    tokens = torch.randint(sizes["symbols"], (sizes["batch"], sizes["steps"], sizes["tracks"]))
    codes = torch.randn(sizes["batch"], sizes["latent"])

    def train():
        mean, log_variance = encoder(tokens)
        latent = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        rebuilt = sum(
            functional.cross_entropy(track.flatten(0, 1), tokens[..., number].flatten())
            for number, track in enumerate(decoder(latent))
        )
        nats = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=-1).mean()
        optimizer.zero_grad(set_to_none=True)
        (rebuilt + 0.1 * nats / sizes["steps"]).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def decode():
        with torch.inference_mode():
            torch.stack([track.argmax(dim=-1) for track in decoder(codes)], dim=-1)

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        run = {"train": train, "decode": decode}[line.strip()]
        began = time.perf_counter()
        run()
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
