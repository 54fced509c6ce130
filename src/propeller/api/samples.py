"""Pages of the samples that were measured of one task or one proplet."""

import msgspec

from propeller.api.context import Context
from propeller.api.queries import Paging
from propeller.store.port import SampleOf
from propeller.wire.http.samples import PropletSample, PropletSamplePage, TaskSample, TaskSamplePage

_to_task_sample = msgspec.json.Decoder(TaskSample).decode
_to_proplet_sample = msgspec.json.Decoder(PropletSample).decode


async def task_sample_page(context: Context, task_id: str, page: Paging) -> TaskSamplePage:
    found = await context.store.samples(SampleOf.TASK, task_id, page.offset, page.limit)
    return TaskSamplePage(
        offset=page.offset,
        limit=page.limit,
        total=found.total,
        metrics=[_to_task_sample(text) for text in found.items],
    )


async def proplet_sample_page(context: Context, proplet_id: str, page: Paging) -> PropletSamplePage:
    found = await context.store.samples(SampleOf.PROPLET, proplet_id, page.offset, page.limit)
    return PropletSamplePage(
        offset=page.offset,
        limit=page.limit,
        total=found.total,
        metrics=[_to_proplet_sample(text) for text in found.items],
    )
