"""What the server says of itself."""

from __future__ import annotations

from pathlib import Path

import alejo
from alejo.v1 import admin_pb2 as pb

from .house import house, within

SERVICE = "alejo.v1.AdminService"


async def test_it_says_what_it_is(tmp_path: Path) -> None:
    """GetInfo names version, data format, storage, start and who asks."""
    async with house(tmp_path) as home:
        info = await within(home.unary(f"{SERVICE}/GetInfo", pb.GetInfoResponse)(pb.GetInfoRequest()))
        assert (info.version, info.data_format, info.storage) == (
            alejo.__version__,
            home.assistant.folder.format,
            "lmdb",
        )
        assert (info.tenant, info.user) == ("local", "me")
        assert info.started_at.ToMicroseconds() == home.assistant.started_at


async def test_it_hides_secrets(tmp_path: Path) -> None:
    """Every setting is told with its source, as TOML; a secret's value never is."""
    async with house(tmp_path, client__key="alejo_very_secret", log__level="error") as home:
        shown = await within(home.unary(f"{SERVICE}/GetSettings", pb.GetSettingsResponse)(pb.GetSettingsRequest()))
        by_name = {one.name: one for one in shown.settings}
        assert set(by_name) == {one.option.name for one in home.assistant.settings.all()}
        assert by_name["client.key"].value == '"(hidden)"'
        assert "very_secret" not in str(shown)
        assert (by_name["log.level"].value, by_name["log.level"].source) == ('"error"', "command line")
        assert by_name["data.storage"].value == '""'
