"""The command ``tidegauge airflow check``."""

import typer

from pipeline.cli.options import Form, RowOptions, SiteOptions, spread
from pipeline.cli.output import until_closed
from pipeline.text import escape, write_number_of

airflow_app = typer.Typer(no_args_is_help=True, help="An Airflow of one's own: what it lacks.")


@airflow_app.callback()
def start() -> None:
    """Airflow."""


@airflow_app.command("check")
@spread
def check(*, output: RowOptions, site: SiteOptions) -> None:
    """Say what an Airflow lacks for the DAGs, each with the line to write; exits 1 when it does.

    Looks as the user and on the machine where it runs, and changes nothing. Lines are for a shell,
    words in capitals to be replaced; what is exported belongs in the environment of all parts of
    Airflow, and a path where all machines see it.

    For example:

    tidegauge airflow check

    tidegauge airflow check --format json
    """
    from pipeline.orchestration.airflow_check import check_airflow
    from pipeline.orchestration.site_check import Health

    found = list(check_airflow(vars(site)))
    wrong = [one for one in found if one.state == Health.wrong]
    if output.form == Form.table:
        with until_closed():
            for one in found:
                print(f"{one.state.value:<7} {one.what}: {escape(one.said)}")
                if one.write:
                    print(f"        {escape(one.write)}")
            said = (
                f"{write_number_of(len(wrong), 'thing')} to mend" if wrong else "the DAGs can run"
            )
            print(f"\n{said}")
    else:
        rows = [(one.what, one.state.value, one.said, one.write) for one in found]
        output.print(["what", "state", "said", "write"], rows)
    if wrong:
        raise typer.Exit(1)
