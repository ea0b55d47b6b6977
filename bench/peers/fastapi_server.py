"""The HTTP service that a Python user would write: FastAPI and uvicorn around torchvision's Mask R-CNN.

    python bench/peers/fastapi_server.py --weights WEIGHTS.safetensors --side PIXELS

Prints its address when ready. POST /segment takes an encoded square image of --side pixels as its body, and answers JSON: boxes,
scores and masks as COCO RLE. The network runs in the server's thread pool, one image at a time, as torch's own threads use all
cores. Needs torch, torchvision, pillow, pycocotools, safetensors, fastapi and uvicorn.
"""

import argparse
import io
import socket
import threading

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from network import read_image, stored, stored_config, stretched
from pycocotools import mask as coco_mask


@torch.inference_mode()
def segment(model: torch.nn.Module, intensity: dict, body: bytes) -> dict:
    found = model([stretched(read_image(io.BytesIO(body)), intensity)])[0]
    masks = (found["masks"][:, 0] > 0.5).permute(1, 2, 0).numpy().astype(np.uint8)
    rles = coco_mask.encode(np.asfortranarray(masks))
    return {
        "boxes": found["boxes"].tolist(),
        "scores": found["scores"].tolist(),
        "masks": [{"size": rle["size"], "counts": rle["counts"].decode()} for rle in rles],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="a weights file of cellroute with its configuration")
    parser.add_argument("--side", type=int, required=True, help="pixels per side of the images")
    parser.add_argument("--min-score", type=float, default=0.5)
    options = parser.parse_args()

    model = stored(options.weights, options.side, box_score_thresh=options.min_score)
    intensity = stored_config(options.weights)["intensity"]
    one_at_a_time = threading.Lock()

    def work(body: bytes) -> dict:
        with one_at_a_time:
            return segment(model, intensity, body)

    app = FastAPI()

    @app.post("/segment")
    async def answer(request: Request) -> dict:
        return await run_in_threadpool(work, await request.body())

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"Listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
