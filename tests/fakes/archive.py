"""A company's archive that searches in jobs, over a wire of its own: the third provider of docs/add-a-provider.md."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

USD = 0.002


@dataclass
class FakeArchive:
    """Finishes each job at the second question; `bill` has what it was asked for, in the order accepted."""

    bill: list[str] = field(default_factory=list[str])
    asked: dict[str, int] = field(default_factory=dict[str, int])
    url: str = ""

    def begin(self, job: dict[str, str]) -> JSONResponse:
        self.bill.append(job["reference"])
        return JSONResponse({"id": f"job-{len(self.bill)}"}, 201)

    def look(self, job: str) -> JSONResponse:
        self.asked[job] = self.asked.get(job, 0) + 1
        if self.asked[job] < 2:
            return JSONResponse({"state": "running"})
        found = [{"url": f"https://archive.example/{job}", "title": job, "date": "2026-11-01"}]
        return JSONResponse({"state": "done", "text": f"what {job} found", "found": found, "usd": USD})

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncGenerator["FakeArchive"]:
        app = FastAPI()
        app.post("/jobs")(self.begin)
        app.get("/jobs/{job}")(self.look)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
        serving = asyncio.create_task(server.serve())
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, and no event
                await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.should_exit = True
            await serving
