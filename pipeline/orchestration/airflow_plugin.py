"""Airflow's tab Tidegauge: who may see it, and how a request becomes a question to ``tab``.

And what Airflow is to know of the nights' deadline.

Found by its entry point wherever the package is installed. Each part of Airflow imports it, the
process of every task, too: what the api-server alone needs is imported there.
"""
# ruff: noqa: PLC0415

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.plugins_manager import AirflowPlugin

from pipeline.orchestration.figures_due import FiguresDue

if TYPE_CHECKING:
    from pipeline.settings import Settings

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
}


class TidegaugePlugin(AirflowPlugin):
    """The tab, the application that its frame shows, and the deadline."""

    name = "tidegauge"
    external_views: list[Any] = [  # noqa: RUF012 as Airflow declares it
        {
            "name": "Tidegauge",
            "href": "tidegauge/",  # relative: Airflow may lie under a path of its host
            "url_route": "tidegauge",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]

    deadline_references: list[Any] = [FiguresDue]  # noqa: RUF012 likewise

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The application, which the api-server alone asks for."""
        return [{"name": self.name, "url_prefix": "/tidegauge", "app": make_app()}]


def make_app() -> Any:
    """The pages, for whoever may see Airflow's plugins: it guards no application by itself."""
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import get_user, requires_access_view
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import HTMLResponse

    app = FastAPI(
        dependencies=[Depends(get_user), Depends(requires_access_view(AccessView.PLUGINS))],
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip

    @app.get("/")
    @app.get("/{page}")
    def show(request: Request, page: str = "") -> HTMLResponse:
        """In a thread: the lake is read while other requests are answered."""
        from pipeline.orchestration.tab import answer

        said = answer(_load_settings, page, request.query_params, datetime.now(UTC))
        return HTMLResponse(said.html, said.status, _HEADERS)

    return app


def _load_settings() -> "Settings":
    """As tasks do; where the lake is out of reach, the import fails with what says so."""
    from pipeline.orchestration.dag_run import load_absolute

    return load_absolute()
