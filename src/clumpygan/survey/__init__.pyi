from .run import recover_survey as recover_survey
from .settings import SurveySettings as SurveySettings

__all__ = ["SurveySettings", "recover_survey"]
